"""The protocols, as a table; each is a list of trials, and a trial is one complete question to every system.

A trial says what is learnt from, which nodes are met, how much of their normal traffic is known, which faults training never
saw, and what is wrong with the data. How systems answer is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from faultprint.errors import UsageError
from faultprint_lab.benchmark.data.severity import Strength
from faultprint_lab.benchmark.splits import Sizes, networks_for

HOUR: Final = 60
Origin = Literal["elsewhere", "own"]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Faults that training never saw, each then taught by `shots` references (0: none, it is to be called unknown).

    `origin`: references from networks of the training (which did not learn from these stretches), or from each met node's
    own earlier days. Which faults: every FOLDS-th by name from `fold` on.
    """

    fold: int
    shots: int
    origin: Origin = "elsewhere"


FOLDS: Final = 3
"""The suite's seed picks the fold, so that three seeds in a row hide every fault once."""


@dataclass(frozen=True, slots=True)
class BenchmarkTrial:
    """`networks` are those handed to training; `later`: met are their later days, not the networks of the split.

    `normal` is in minutes; not `vouched` for, they are minutes as they come, faults and all. `spoil` names a row of
    `spoil.SPOILS` (empty: the data as it is). `strength`: faults of this strength alone are scored (none: all).
    """

    data: str
    protocol: str
    variant: str
    split: str
    seed: int
    networks: int
    normal: int = HOUR
    vouched: bool = True
    later: bool = False
    hidden: Hidden | None = None
    spoil: str = ""
    strength: Strength | None = None

    @property
    def learning(self) -> dict[str, Any]:
        """What a training depends on, for JSON: trials that agree in it share their trained models."""
        hidden = self.hidden.fold if self.hidden else None
        return {"data": self.data, "seed": self.seed, "networks": self.networks, "hidden": hidden}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Variants = Callable[[Sizes, int], Sequence[tuple[str, Mapping[str, Any]]]]
"""(sizes, the suite's seed) → variants: name, and how the trial differs from an unseen network with an hour of normal."""


@dataclass(frozen=True, slots=True)
class BenchmarkProtocol:
    """`meaning` in one sentence; `data` names the kinds of data that it is asked of."""

    meaning: str
    variants: Variants
    data: tuple[str, ...] = ("simulated",)


def _normals(*names: tuple[str, int]) -> Variants:
    return lambda sizes, seed: [(name, {"normal": minutes}) for name, minutes in names]


def _hidden(*names: tuple[str, int, Origin]) -> Variants:
    return lambda sizes, seed: [
        (name, {"hidden": Hidden(seed % FOLDS, shots, origin)}) for name, shots, origin in names
    ]


def _few(sizes: Sizes, seed: int) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return [(f"{number}", {"networks": networks_for(number)}) for number in sizes.few]


PROTOCOLS: Final[Mapping[str, BenchmarkProtocol]] = {
    "later": BenchmarkProtocol(
        "Networks that were trained on, on later days.",
        lambda sizes, seed: [("an hour", {"later": True})] if sizes.later_networks else [],
    ),
    "unseen": BenchmarkProtocol(
        "Networks never seen, by how much of their normal traffic is known.",
        lambda sizes, seed: [
            ("a day", {"normal": 24 * HOUR}),
            ("a day, unvouched", {"normal": 24 * HOUR, "vouched": False}),
            ("an hour", {"normal": HOUR}),
            ("ten minutes", {"normal": 10}),
            ("none", {"normal": 0}),
        ],
        ("simulated", "bed"),
    ),
    "new-fault": BenchmarkProtocol(
        "Networks never seen, a third of the faults not in the training at all; then taught by references.",
        _hidden(
            ("one, elsewhere", 1, "elsewhere"),
            ("five, elsewhere", 5, "elsewhere"),
            ("one, own", 1, "own"),
            ("five, own", 5, "own"),
        ),
    ),
    "unknown": BenchmarkProtocol(
        "Networks never seen, a third of the faults neither in the training nor taught: to be called unknown.",
        _hidden(("no reference", 0, "elsewhere")),
    ),
    "few": BenchmarkProtocol("Networks never seen, by the number of networks trained on.", _few),
    "rough": BenchmarkProtocol(
        "Networks never seen, whose data is damaged after training.",
        lambda sizes, seed: [(name, {"spoil": name}) for name in ("gaps", "doubled", "jitter")],
    ),
    "strength": BenchmarkProtocol(
        "Networks never seen, an hour of normal traffic, by how strong a fault is (1: total): other faults are not scored.",
        lambda sizes, seed: [
            (name, {"strength": bounds})
            for name, bounds in (("up to .2", (0.0, 0.2)), (".2 to .5", (0.2, 0.5)), ("above .5", (0.5, 1.0)))
        ],
    ),
    "parts": BenchmarkProtocol(
        "Networks never seen, an hour of normal traffic: the default preset without one of its parts.",
        _normals(("an hour", HOUR)),
    ),
    "doubtful": BenchmarkProtocol(
        "Networks never seen: of hours that somebody vouches for as normal, those that look like a fault.",
        _normals(("an hour", HOUR)),
        ("simulated", "bed"),
    ),
    "puzzles": BenchmarkProtocol(
        "Networks never seen, an hour of normal traffic: the default encoder made or taught as the posts' was.",
        _normals(("an hour", HOUR)),
    ),
    "gap": BenchmarkProtocol(
        "The posts' network while it learns: the loss by a batch's own statistics beside that by the running ones.",
        _normals(("an hour", HOUR)),
    ),
    "arithmetic": BenchmarkProtocol(
        "King − man + woman: is a fault of one network, normal there taken off and normal here added, nearest to the same fault "
        "here?",
        _normals(("an hour", HOUR)),
    ),
    "by-time": BenchmarkProtocol(
        "Every row of a table of 10 s rows by itself, cross-validated by time in five parts.",
        lambda sizes, seed: [("all that is known", {})],
        ("5gc-faults",),
    ),
    "by-time-one": BenchmarkProtocol(
        "The same, each kind of fault taught by one episode of the other four parts.",
        lambda sizes, seed: [("one reference", {})],
        ("5gc-faults",),
    ),
}


def trials(protocol: str, data: str, sizes: Sizes, split: str, seed: int) -> list[BenchmarkTrial]:
    """The trials of a protocol on a kind of data; none where it is not asked of it. Raises UsageError for another name."""
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol {protocol!r}; take from {', '.join(PROTOCOLS)}, or all.")
    asked = PROTOCOLS[protocol]
    if data not in asked.data:
        return []
    plain = {"data": data, "protocol": protocol, "split": split, "seed": seed, "networks": sizes.train_networks}
    return [BenchmarkTrial(**{**plain, "variant": name, **change}) for name, change in asked.variants(sizes, seed)]
