from __future__ import annotations

import pytest

from faultprint.errors import UsageError
from faultprint.training.train import HELD_OUT
from faultprint_lab.benchmark.splits import BLOCKS, SPLITS, TRAIN, Sizes, networks_for, with_changes
from faultprint_lab.benchmark.trials import trials


def test_splits_share_no_network_and_no_simulator_seed() -> None:
    sizes = Sizes()
    count = {TRAIN: sizes.train_networks, **dict.fromkeys(SPLITS, sizes.evaluation_networks)}
    numbers = [block.first + n for split, block in BLOCKS.items() for n in range(count[split])]
    seeds = [block.base + seed for block in BLOCKS.values() for seed in range(1000)]
    assert len(set(numbers)) == len(numbers)
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > 1000


def test_temporal_networks_of_the_splits_are_different_ones_that_train() -> None:
    sizes = Sizes()
    assert len(SPLITS) * sizes.temporal_networks <= sizes.train_networks


@pytest.mark.parametrize("wanted", [1, 2, 5, 10, 20, 40])
def test_the_wanted_number_is_left_after_some_are_held_out(wanted: int) -> None:
    total = networks_for(wanted)
    assert total - max(1, round(HELD_OUT * total)) == wanted


def test_sizes_can_be_changed() -> None:
    found = with_changes(
        Sizes(), ["evaluation_networks=4", "history_days=0.5", "temporal_networks=0", "evaluation_days=3.0"]
    )
    assert (found.evaluation_networks, found.history_days, found.train_networks) == (4, 0.5, Sizes().train_networks)
    # The number of days is part of file names in the cache, so 3 and 3.0 must be equal.
    assert isinstance(found.evaluation_days, int)
    assert not trials("temporal", "simulated", found, "validation", 1)
    assert with_changes(Sizes(), []) == Sizes()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("networks=3", "no size 'networks'"),
        ("learning_curve=3", "no size 'learning_curve'"),
        ("evaluation_networks", "is ''"),
        ("evaluation_networks=1.5", "a whole number of 1 or more"),
        ("train_networks=1", "2 or more"),
        ("seconds=nan", "a number of 0 or more"),
        ("evaluation_days=-1", "0 or more"),
        ("evaluation_days=inf", "is 'inf'"),
    ],
)
def test_a_wrong_size_is_refused(change: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        with_changes(Sizes(), [change])
