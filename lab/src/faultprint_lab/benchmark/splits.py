"""The frozen splits: which simulated networks train, which are chosen on, which are reported, and how much of each.

Every seed of the suite has networks of its own: number and simulator's seed together make a network, and neither is shared
between sides. The report side is looked at once, when figures are published; whatever is decided before is decided on the
choose side. The simulator's seeds below 1,000 were looked at while Faultprint was made, so none of them is here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from faultprint.errors import UsageError

TRAIN: Final = "train"
SPLITS: Final = ("choose", "report")


@dataclass(frozen=True, slots=True)
class Block:
    """Networks `first`, `first` + 1, … of the simulator's seed `base` + the suite's seed."""

    first: int
    base: int


BLOCKS: Final[Mapping[str, Block]] = {
    TRAIN: Block(first=0, base=41_000),
    "choose": Block(first=100, base=52_000),
    "report": Block(first=200, base=63_000),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of everything; the defaults are those of the published figures.

    A fifth of `train_networks` is held out of the training and sets thresholds (50: 40 are trained on). Of the first
    `later_networks` of each split the days up to `train_days` are trained on, and `later_days` more are met. Each of the
    `meet_networks` has `history_days` before the `meet_days` that are scored; at five episodes a day, 11 days hold five of
    each fault, for lessons of the network's own. `seconds` of one core is what each system may learn for. `few` are numbers of
    networks trained on, thresholds' networks not counted.
    """

    train_networks: int = 50
    train_days: float = 2
    later_networks: int = 10
    later_days: float = 2
    meet_networks: int = 10
    history_days: float = 11
    meet_days: float = 2
    seconds: float = 60
    few: tuple[int, ...] = (1, 2, 5, 10, 20, 40)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


QUICK: Final = Sizes(
    train_networks=6,
    train_days=1,
    later_networks=2,
    later_days=1,
    meet_networks=2,
    history_days=3,
    meet_days=1,
    seconds=6,
    few=(1, 4),
)
"""To see that everything runs; its figures mean nothing."""


_LEAST: Final = {"train_networks": 2, "meet_networks": 1}
"""What a size must be at least, where none at all makes no sense."""


def sized(sizes: Sizes, words: Sequence[str]) -> Sizes:
    """The sizes with others in their place, each a word like `meet_networks=4`. Raises UsageError."""
    names = [name for name, value in sizes.as_dict().items() if not isinstance(value, tuple)]
    given: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in names:
            raise UsageError(f"There is no size {name!r}; take from {', '.join(names)}, as in meet_networks=4.")
        given[name] = _size(name, text)
    return replace(sizes, **given)


def _size(name: str, text: str) -> float:
    least, whole = _LEAST.get(name, 0), name.endswith("networks")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf or (whole and value % 1):
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"The size {name} is {text!r}, but it must be {kind} of {least} or more; correct it.")
    return value if value % 1 else int(value)


def networks_for(trained_on: int) -> int:
    """The networks to hand to a training so that `trained_on` are left when a fifth (one at least) is held out."""
    total = trained_on + 1
    while total - max(1, round(0.2 * total)) < trained_on:
        total += 1
    return total
