from __future__ import annotations

import pytest

from faultprint.evaluate.protocols.splits import BLOCKS, SPLITS, TRAIN, Sizes, networks_for
from faultprint.training.train import HELD_OUT


def test_no_side_shares_a_network_or_a_simulators_seed_with_another() -> None:
    sizes = Sizes()
    count = {TRAIN: sizes.train_networks, **dict.fromkeys(SPLITS, sizes.meet_networks)}
    numbers = [block.first + n for side, block in BLOCKS.items() for n in range(count[side])]
    seeds = [block.base + seed for block in BLOCKS.values() for seed in range(1000)]
    assert len(set(numbers)) == len(numbers)
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > 1000


def test_later_networks_of_the_splits_are_different_ones_that_train() -> None:
    sizes = Sizes()
    assert len(SPLITS) * sizes.later_networks <= sizes.train_networks


@pytest.mark.parametrize("wanted", [1, 2, 5, 10, 20, 40])
def test_so_many_are_left_when_some_are_held_out(wanted: int) -> None:
    total = networks_for(wanted)
    assert total - max(1, round(HELD_OUT * total)) == wanted
