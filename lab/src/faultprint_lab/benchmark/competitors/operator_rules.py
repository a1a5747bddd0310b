"""An operator's rules as a contender: a counter beyond a threshold for some minutes names a fault.

Written as they are written in performance management: on the counters of TS 32.409 and the metrics of RFC 6076, with the
number of events below which a share says nothing and a for-duration. Nothing is learnt; how far beyond its thresholds the
weakest of a rule's clauses lies is the inverse of the distance to its fault, normal lies at distance 1, and `cases.calibration`
scales all thresholds at once, as it sets every system's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.features.catalogue import Catalogue
from faultprint.tables import NORMAL
from faultprint.windows.labelling import faults
from faultprint.windows.trailing import trailing_max
from faultprint_lab.baselines.systems import System, ranked
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, FittedSystem
from faultprint_lab.benchmark.trials import BenchmarkTrial

_FAR: Final = 1e6
"""A distance that means: the rule does not hold at all."""


@dataclass(frozen=True, slots=True)
class Clause:
    """`feature` above `bound`; `times_normal`: the bound is in multiples of the node's normal median. With fewer than `least`
    events behind the value it does not hold. `lack`: one minus the feature, a share, is meant."""

    feature: str
    bound: float
    least: float = 5
    times_normal: bool = False
    lack: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """All clauses hold in `minutes` minutes in a row: `condition`."""

    condition: str
    clauses: tuple[Clause, ...]
    minutes: int = 3


RULES: Final = (
    # Registrations fail or nobody answers them, calls within dialogs live on (UR.SuccInitReg / UR.AttInitReg, IRA).
    Threshold("hss-link-down", (Clause("node.ira", 0.3), Clause("in.register_initial.success_share", 0.9, lack=True))),
    # RRD: the first answer to a registration waits for the HSS.
    Threshold("hss-slow", (Clause("out.register.delay_median", 0.8),)),
    Threshold("hss-errors", (Clause("in.register_initial.server_error_share", 0.2),)),
    # INVITEs die between the node and the application server, registrations do not (ISA, IRA).
    Threshold("as-failing", (Clause("out.invite.server_error_share", 0.2), Clause("node.ira", 0.1, below=True))),
    # INVITEs die in the node, before they are sent on.
    Threshold("pcrf-down", (Clause("in.invite_originating.server_error_share", 0.2), Clause("node.isa", 0.2))),
    # All that is sent to the core goes unanswered.
    Threshold("core-leg-down", (Clause("out.register.timeout_share", 0.3), Clause("out.invite.timeout_share", 0.3))),
    Threshold("scscf-down", (Clause("out.other.timeout_share", 0.2), Clause("in.bye.timeout_share", 0.2))),
    # Half of the traffic is gone (UR.AttInitReg and all others together), for longer than a lull.
    Threshold("traffic-blocked", (Clause("node.messages", 0.5, times_normal=True, below=True),), minutes=5),
    Threshold("registration-storm", (Clause("in.register_initial.attempts", 3, times_normal=True, least=20),)),
    # Delays towards the core rise with retransmissions: the link; answers are repeated while out legs are as ever: the node.
    Threshold(
        "link-at-capacity",
        (Clause("out.invite.retransmission_share", 0.5), Clause("out.other.delay_median", 1.0)),
    ),
    Threshold("packet-loss", (Clause("node.response_retransmission_share", 0.05, least=50),), minutes=5),
    Threshold("overload", (Clause("in.other.retransmission_share", 0.5), Clause("in.other.delay_median", 1.0))),
    # Registrations are slow at the node and quick behind it.
    Threshold(
        "dns-slow",
        (Clause("in.register_initial.delay_median", 1.0), Clause("in.register_initial.retransmission_share", 0.3)),
    ),
)
"""In the units of the features (docs/features.md)."""


class Operator:
    """Knows what its rules name, from the first day on; those for faults that do not occur in the data are left out."""

    name = "thresholds"

    def refuses(self, trial: BenchmarkTrial) -> str:
        if trial.hidden:
            return "rules are written, not taught by examples, and they name every fault from the start"
        return ""

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        occur = faults(school.lessons.taught_labels)
        return _Written(Ruled(school.model.catalogue, [rule for rule in RULES if rule.condition in occur]))


class _Written:
    pooled = True

    def __init__(self, ruled: Ruled) -> None:
        self._ruled = ruled

    def system(self, given: Sequence[Example]) -> System:
        return self._ruled


class Ruled:
    """The rules at work."""

    name = "thresholds"
    loosest = float("inf")

    def __init__(self, catalogue: Catalogue, rules: Sequence[Threshold]) -> None:
        self._catalogue, self._rules = catalogue, tuple(sorted(rules, key=lambda rule: rule.condition))

    def match(self, place: EvaluationScope) -> Matches:
        columns = [np.ones(len(place.last_minutes), np.float32)]
        for rule in self._rules:
            beyond = np.stack([self._beyond(clause, place) for clause in rule.clauses]).min(axis=0)
            # The least of the last minutes: minus the greatest of the negatives.
            lasting = -trailing_max(-beyond[:, None], rule.minutes)[:, 0]
            columns.append((1 / np.maximum(lasting, 1 / _FAR))[place.last_minutes].astype(np.float32))
        return ranked((NORMAL, *(rule.condition for rule in self._rules)), np.stack(columns, axis=1))

    def _beyond(self, clause: Clause, place: EvaluationScope) -> Float32Array:
        """(T,) the value over its bound (below: the bound over the value), 0 where the clause does not hold for want of events."""
        values = place.series.values
        column = values[:, self._catalogue.index(clause.feature)]
        support = self._catalogue.features[self._catalogue.index(clause.feature)].support
        bound = np.float32(clause.bound)
        if clause.times_normal:
            usual = column[place.baseline_minutes]
            bound *= np.float32(np.nanmedian(usual)) if len(usual) else np.float32(np.nan)
        value = 1 - column if clause.lack else column
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = bound / value if clause.below else value / bound
        enough = values[:, self._catalogue.index(support)] >= clause.least if support and not clause.below else True
        return np.asarray(np.where(enough & ~np.isnan(ratio), np.minimum(ratio, _FAR), 0), np.float32)
