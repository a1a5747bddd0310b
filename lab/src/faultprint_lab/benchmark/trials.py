"""The protocols, as a table. A protocol is a list of trials, and a trial is one complete task for every system.

A trial says what to train on, which nodes are scored, how much normal traffic of them is known, which faults training
never saw, and how the data is damaged. It says nothing about how a system works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from faultprint.errors import UsageError
from faultprint_lab.benchmark.splits import Sizes, networks_for

HOUR: Final = 60
Origin = Literal["other-networks", "same-node"]
SeverityRange = tuple[float, float]
"""Above the first, up to the second value of the labels' `severity`."""


@dataclass(frozen=True, slots=True)
class HiddenFaults:
    """Faults that are not in the training: every FOLDS-th by name, from `fold` on.

    `shots` references of each are enrolled afterwards; with 0, the right verdict is "unknown". Their `origin` is other
    networks, of the training split without these intervals, or the earlier days of the same node.
    """

    fold: int
    shots: int
    origin: Origin = "other-networks"


FOLDS: Final = 3
"""The suite's seed chooses the fold, so that three seeds in a row hide every fault once."""


@dataclass(frozen=True, slots=True)
class BenchmarkTrial:
    """One task: train on `networks` networks, then score the split.

    - `normal`: minutes of normal traffic that are known of each node. If not `trusted`, they are the last minutes whatever
      they hold, faults included.
    - `temporal`: later days of training networks are scored, not the networks of the split.
    - `corruption`: a name in `corruption.CORRUPTIONS`, or empty.
    - `severity`: only faults of this severity are scored (None: all).
    """

    data: str
    protocol: str
    variant: str
    split: str
    seed: int
    networks: int
    normal: int = HOUR
    trusted: bool = True
    temporal: bool = False
    hidden: HiddenFaults | None = None
    corruption: str = ""
    severity: SeverityRange | None = None

    @property
    def training(self) -> dict[str, Any]:
        """What a training depends on, for JSON: trials with the same value share their trained models."""
        hidden = self.hidden.fold if self.hidden else None
        return {"data": self.data, "seed": self.seed, "networks": self.networks, "hidden": hidden}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Variants = Callable[[Sizes, int], Sequence[tuple[str, Mapping[str, Any]]]]
"""(sizes, the suite's seed) → variants: a name, and how its trial differs from an unseen network with an hour of normal traffic."""


@dataclass(frozen=True, slots=True)
class BenchmarkProtocol:
    """`meaning` in one sentence, the variants, and the kinds of data that the protocol is run on."""

    meaning: str
    variants: Variants
    data: tuple[str, ...] = ("simulated",)


def _normal_traffic(*variants: tuple[str, int]) -> Variants:
    return lambda sizes, seed: [(name, {"normal": minutes}) for name, minutes in variants]


def _hidden_faults(*variants: tuple[str, int, Origin]) -> Variants:
    return lambda sizes, seed: [
        (name, {"hidden": HiddenFaults(seed % FOLDS, shots, origin)}) for name, shots, origin in variants
    ]


def _learning_curve(sizes: Sizes, seed: int) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return [(f"{number}", {"networks": networks_for(number)}) for number in sizes.learning_curve]


_AN_HOUR: Final = _normal_traffic(("an hour", HOUR))

PROTOCOLS: Final[Mapping[str, BenchmarkProtocol]] = {
    "temporal": BenchmarkProtocol(
        "Later days of networks that were in the training.",
        lambda sizes, seed: [("an hour", {"temporal": True})] if sizes.temporal_networks else [],
    ),
    "unseen": BenchmarkProtocol(
        "Networks that were not in the training, by the amount of normal traffic that is known of them.",
        lambda sizes, seed: [
            ("a day", {"normal": 24 * HOUR}),
            ("a day, unverified", {"normal": 24 * HOUR, "trusted": False}),
            ("an hour", {"normal": HOUR}),
            ("ten minutes", {"normal": 10}),
            ("none", {"normal": 0}),
        ],
        ("simulated", "testbed"),
    ),
    "new-fault": BenchmarkProtocol(
        "Unseen networks. A third of the faults is not in the training and is enrolled afterwards by references.",
        _hidden_faults(
            ("1 reference, other network", 1, "other-networks"),
            ("5 references, other networks", 5, "other-networks"),
            ("1 reference, same node", 1, "same-node"),
            ("5 references, same node", 5, "same-node"),
        ),
    ),
    "open-set": BenchmarkProtocol(
        "Unseen networks. A third of the faults is neither in the training nor enrolled; the right verdict is unknown.",
        _hidden_faults(("no reference", 0, "other-networks")),
    ),
    "learning-curve": BenchmarkProtocol("Unseen networks, by the number of networks in the training.", _learning_curve),
    "degraded": BenchmarkProtocol(
        "Unseen networks, whose data is damaged after the training.",
        lambda sizes, seed: [(name, {"corruption": name}) for name in ("gaps", "duplicated", "jitter")],
    ),
    "by-severity": BenchmarkProtocol(
        "Unseen networks, an hour of normal traffic, by severity of the fault (1: total); other faults are not scored.",
        lambda sizes, seed: [
            (name, {"severity": bounds})
            for name, bounds in (("up to 0.2", (0.0, 0.2)), ("0.2 to 0.5", (0.2, 0.5)), ("above 0.5", (0.5, 1.0)))
        ],
    ),
    "ablation": BenchmarkProtocol(
        "Unseen networks, an hour of normal traffic: the default preset without one of its parts.", _AN_HOUR
    ),
    "baseline-check": BenchmarkProtocol(
        "Unseen networks: how often the baseline check suspects an hour, for hours of normal traffic and hours of a fault.",
        _AN_HOUR,
        ("simulated", "testbed"),
    ),
    "encoder-variants": BenchmarkProtocol(
        "Unseen networks, an hour of normal traffic: the default encoder with design choices of the 2017 baseline.",
        _AN_HOUR,
    ),
    "batchnorm-gap": BenchmarkProtocol(
        "The network of the 2017 baseline during training: its loss in training mode and in inference mode.", _AN_HOUR
    ),
    "vector-arithmetic": BenchmarkProtocol(
        "Is a fault of one network, minus normal there plus normal here, nearest to the same fault here (king − man + woman)?",
        _AN_HOUR,
    ),
    "blocked-cv": BenchmarkProtocol(
        "Single rows of a table with a row every 10 s, cross-validated over five consecutive blocks of time.",
        lambda sizes, seed: [("all training blocks", {})],
        ("5gc-faults",),
    ),
    "blocked-cv-one-shot": BenchmarkProtocol(
        "The same, with one episode of each fault from the other four blocks.",
        lambda sizes, seed: [("1 reference", {})],
        ("5gc-faults",),
    ),
}


def trials(protocol: str, data: str, sizes: Sizes, split: str, seed: int) -> list[BenchmarkTrial]:
    """The trials of a protocol on a kind of data; none where it is not run on it. Raises UsageError for another name."""
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol {protocol!r}; choose from {', '.join(PROTOCOLS)}, or all.")
    chosen = PROTOCOLS[protocol]
    if data not in chosen.data:
        return []
    plain = {"data": data, "protocol": protocol, "split": split, "seed": seed, "networks": sizes.train_networks}
    return [BenchmarkTrial(**{**plain, "variant": name, **change}) for name, change in chosen.variants(sizes, seed)]
