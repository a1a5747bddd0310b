from __future__ import annotations

import pytest

from faultprint.errors import UsageError
from faultprint.training.train import HELD_OUT
from faultprint_lab.benchmark.splits import BLOCKS, SPLITS, TRAIN, Sizes, networks_for, sized
from faultprint_lab.benchmark.trials import trials


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


def test_sizes_may_be_others() -> None:
    found = sized(Sizes(), ["meet_networks=4", "history_days=0.5", "later_networks=0", "meet_days=3.0"])
    assert (found.meet_networks, found.history_days, found.train_networks) == (4, 0.5, Sizes().train_networks)
    # As a number of days names files in the cache, 3 and 3.0 must be the same.
    assert isinstance(found.meet_days, int)
    assert not trials("later", "simulated", found, "choose", 1)
    assert sized(Sizes(), []) == Sizes()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("networks=3", "no size 'networks'"),
        ("few=3", "no size 'few'"),
        ("meet_networks", "is ''"),
        ("meet_networks=1.5", "a whole number of 1 or more"),
        ("train_networks=1", "2 or more"),
        ("seconds=nan", "a number of 0 or more"),
        ("meet_days=-1", "0 or more"),
        ("meet_days=inf", "is 'inf'"),
    ],
)
def test_a_size_that_is_none_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sized(Sizes(), [word])
