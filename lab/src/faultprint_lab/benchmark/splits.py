"""The fixed splits: which simulated networks train, validate and test, and how much traffic of each.

A network is the simulator's seed and a number. Every seed of the suite has networks of its own, and no network is in two
splits. Decisions are made on the validation split. The test split is used once, when figures are published. Simulator
seeds below 1,000 were used during development, so none of them is here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from faultprint.errors import UsageError

TRAIN: Final = "train"
SPLITS: Final = ("validation", "test")


@dataclass(frozen=True, slots=True)
class NetworkBlock:
    """Networks `first`, `first` + 1, … of the simulator's seed `base` + the suite's seed."""

    first: int
    base: int


BLOCKS: Final[Mapping[str, NetworkBlock]] = {
    TRAIN: NetworkBlock(first=0, base=41_000),
    "validation": NetworkBlock(first=100, base=52_000),
    "test": NetworkBlock(first=200, base=63_000),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much data there is; the defaults are those of the published figures.

    - `train_networks`, `train_days`: networks to train on. A fifth is held out of training and sets thresholds.
    - `temporal_networks`, `temporal_days`: later days of this number of training networks in each split are scored as well.
    - `evaluation_networks`: networks that are scored, with `history_days` before the scored `evaluation_days`. At five
      episodes a day, 11 days hold five episodes of each fault, for references from the same node.
    - `seconds`: time of one core that each system may train for.
    - `learning_curve`: numbers of networks to train on, without those held out.
    """

    train_networks: int = 50
    train_days: float = 2
    temporal_networks: int = 10
    temporal_days: float = 2
    evaluation_networks: int = 10
    history_days: float = 11
    evaluation_days: float = 2
    seconds: float = 60
    learning_curve: tuple[int, ...] = (1, 2, 5, 10, 20, 40)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


QUICK: Final = Sizes(
    train_networks=6,
    train_days=1,
    temporal_networks=2,
    temporal_days=1,
    evaluation_networks=2,
    history_days=3,
    evaluation_days=1,
    seconds=6,
    learning_curve=(1, 4),
)
"""For a check that everything runs; its figures mean nothing."""

_MINIMA: Final = {"train_networks": 2, "evaluation_networks": 1}
"""Smallest value of a size, where it is not 0."""


def with_changes(sizes: Sizes, changes: Sequence[str]) -> Sizes:
    """The sizes with some changed, each change a text like `evaluation_networks=4`. Raises UsageError."""
    names = [name for name, value in sizes.as_dict().items() if not isinstance(value, tuple)]
    changed: dict[str, Any] = {}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in names:
            raise UsageError(f"There is no size {name!r}; choose from {', '.join(names)}, as in evaluation_networks=4.")
        changed[name] = _size(name, text)
    return replace(sizes, **changed)


def _size(name: str, text: str) -> float:
    minimum, whole = _MINIMA.get(name, 0), name.endswith("networks")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not minimum <= value < math.inf or (whole and value % 1):
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"The size {name} is {text!r}, but it must be {kind} of {minimum} or more; correct it.")
    return value if value % 1 else int(value)


def networks_for(trained_on: int) -> int:
    """How many networks to give to a training so that `trained_on` are left after a fifth (at least one) is held out."""
    total = trained_on + 1
    while total - max(1, round(0.2 * total)) < trained_on:
        total += 1
    return total
