"""Every loss against a slow loop over its definition, and against published check values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.training.losses.batch_all import batch_all
from faultprint.training.losses.contrastive import contrastive
from faultprint.training.losses.prototypes import Prototypes
from faultprint.training.losses.triplet import lossless, pairwise_squared_distances, squared_distances, triplet


def batch(size: int, dimensions: int, labels: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    vectors = torch.from_numpy(rng.normal(size=(size, dimensions)))
    return vectors.requires_grad_(True), torch.from_numpy(rng.integers(labels, size=size))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True))


def test_distances() -> None:
    a, b = batch(4, 3, 2, 1)[0], batch(4, 3, 2, 2)[0]
    pairs = pairwise_squared_distances(a, b)
    assert all(pairs[i, j].item() == pytest.approx(distance(a[i], b[j])) for i in range(4) for j in range(4))
    assert squared_distances(a, b).tolist() == pytest.approx(torch.diagonal(pairs).tolist())


@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_triplet_loss(margin: float) -> None:
    a, p, n = (batch(20, 4, 2, seed)[0] for seed in (1, 2, 3))
    expected = [max(distance(a[i], p[i]) - distance(a[i], n[i]) + margin, 0) for i in range(20)]
    assert triplet(a, p, n, margin).item() == pytest.approx(np.mean(expected))


def test_lossless_triplet_loss() -> None:
    a, p, n = (torch.sigmoid(batch(20, 3, 2, seed)[0]) for seed in (1, 2, 3))
    expected = [
        -math.log(1 - distance(a[i], p[i]) / 3 + 1e-8) - math.log(1 - (3 - distance(a[i], n[i])) / 3 + 1e-8)
        for i in range(20)
    ]
    assert lossless(a, p, n).item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("negative", "value"), [((1, 0, 0), 1.0986), ((1, 1, 0), 0.4055), ((1, 1, 1), 0.0), ((0, 0, 0), 18.42)]
)
def test_check_values_of_the_lossless_triplet_loss(negative: tuple[int, int, int], value: float) -> None:
    """AP = 0 in three dimensions with AN = 1, 2, 3, and total collapse."""
    same, other = torch.zeros(1, 3), torch.tensor([negative], dtype=torch.float32)
    assert lossless(same, same, other).item() == pytest.approx(value, abs=1e-3)


@settings(max_examples=25)
@given(st.integers(1, 14), st.integers(1, 4), st.integers(0, 1000), st.sampled_from([0.2, 1.0, 3.0]))
def test_batch_all_equals_every_triplet_by_itself(size: int, labels: int, seed: int, margin: float) -> None:
    vectors, label = batch(size, 3, labels, seed)
    values, total, gradient = [], 0, torch.zeros_like(vectors)
    for i in range(size):
        for j in range(size):
            for k in range(size):
                if i != j and label[i] == label[j] and label[i] != label[k]:
                    total += 1
                    one = triplet(vectors[i : i + 1], vectors[j : j + 1], vectors[k : k + 1], margin)
                    if one > 0:
                        values.append(one.item())
                        gradient += torch.autograd.grad(one, vectors)[0]
    found = batch_all(vectors, label, margin)
    assert (found.formed, found.active) == (total, len(values))
    assert found.loss.item() == pytest.approx(np.mean(values) if values else 0)
    if values:
        assert torch.allclose(torch.autograd.grad(found.loss, vectors)[0], gradient / len(values), atol=1e-8)


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 1000), st.sampled_from([0.1, 0.5, 2.0]))
def test_contrastive_equals_a_loop(size: int, labels: int, seed: int, temperature: float) -> None:
    vectors, label = batch(size, 3, labels, seed)
    points = [*vectors.detach(), torch.zeros(3, dtype=torch.float64)]
    names = [*label.tolist(), 0]
    expected = []
    for i in range(size):
        weights = {k: math.exp(-distance(points[i], points[k]) / temperature) for k in range(size + 1) if k != i}
        partners = [k for k in weights if names[k] == names[i]]
        terms = [-math.log(weights[k] / sum(weights.values())) for k in partners]
        expected.append(np.mean(terms) if terms else 0.0)
    loss = contrastive(vectors, label, temperature=temperature)
    assert loss.item() == pytest.approx(np.mean(expected))
    loss.backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(2, 5), st.integers(0, 1000), st.sampled_from([0.1, 0.5, 2.0]))
def test_prototypes_equal_a_loop(size: int, conditions: int, seed: int, temperature: float) -> None:
    vectors, label = batch(size, 3, conditions, seed)
    prototypes = Prototypes(conditions, 3, temperature).double()
    places = [torch.zeros(3, dtype=torch.float64), *prototypes.points.detach()]
    expected = []
    for vector, own in zip(vectors.detach(), label.tolist(), strict=True):
        weights = [math.exp(-distance(vector, place) / temperature) for place in places]
        expected.append(-math.log(weights[own] / sum(weights)))
    assert prototypes(vectors, label).item() == pytest.approx(np.mean(expected))


def test_prototypes_draw_normal_to_the_origin_and_a_fault_to_its_own() -> None:
    prototypes = Prototypes(2, 2)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    prototypes.points.data[:] = torch.tensor([[0.5, 0.5]])
    prototypes(vectors, torch.tensor([0, 1])).backward()
    assert vectors.grad is not None and prototypes.points.grad is not None
    assert vectors.grad[0, 0] > 0  # a step down the gradient leads a normal window towards the origin
    assert prototypes.points.grad[0] @ torch.tensor([-0.5, 0.5]) < 0  # and the prototype from it towards its own


def test_contrastive_draws_normal_to_the_origin() -> None:
    far = torch.tensor([[2.0, 0.0], [2.1, 0.0]], requires_grad=True)
    labels = torch.tensor([0, 0])
    other = torch.tensor([[-1.0, 0.0]])
    contrastive(torch.cat([far, other]), torch.cat([labels, torch.tensor([1])])).backward()
    assert far.grad is not None
    assert (far.grad[:, 0] > 0).all()
