"""Which triplets are drawn, against slow loops over their definitions."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from faultprint.training.losses.triplet import pairwise_squared_distances
from faultprint_lab.benchmark.puzzles.mining import hardest_triplets, random_triplets


def test_the_hardest_triplets_are_those_of_a_slow_loop() -> None:
    torch.manual_seed(1)
    vectors, labels = torch.randn(30, 4), torch.randint(5, (30,))
    labels[0] = 7  # alone: no anchor, but a stranger to all others
    distance = pairwise_squared_distances(vectors, vectors)
    expected = []
    for a in range(30):
        partners = [p for p in range(30) if p != a and labels[p] == labels[a]]
        strangers = [n for n in range(30) if labels[n] != labels[a]]
        if partners:
            farthest = max(partners, key=lambda p: distance[a, p].item())
            expected.append((a, farthest, min(strangers, key=lambda n: distance[a, n].item())))
    assert [*zip(*(index.tolist() for index in hardest_triplets(vectors, labels)), strict=True)] == expected


def test_random_triplets_take_every_condition_as_often() -> None:
    torch.manual_seed(1)
    labels = torch.tensor([0] * 40 + [1] * 4 + [2])  # one window of 2: it can only be a negative
    anchors, positives, negatives = random_triplets(labels, 6000)
    assert (labels[anchors] == labels[positives]).all() and (anchors != positives).all()
    assert (labels[anchors] != labels[negatives]).all()
    assert Counter(labels[anchors].tolist())[0] / 6000 == pytest.approx(1 / 2, abs=0.03)
    towards = Counter(zip(labels[anchors].tolist(), labels[negatives].tolist(), strict=True))
    assert towards[0, 1] / (towards[0, 1] + towards[0, 2]) == pytest.approx(1 / 2, abs=0.04)


@pytest.mark.parametrize("labels", [[3, 3, 3], [0, 1, 2]])
def test_there_may_be_no_triplet(labels: list[int]) -> None:
    given = torch.tensor(labels)
    assert all(len(index) == 0 for index in random_triplets(given, 5))
    assert all(len(index) == 0 for index in hardest_triplets(torch.randn(3, 2), given))
