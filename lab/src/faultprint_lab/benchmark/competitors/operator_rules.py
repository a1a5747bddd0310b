"""An operator's threshold rules as a competitor: a counter beyond a threshold for some minutes names a fault.

The rules follow performance management practice: counters of TS 32.409 and metrics of RFC 6076, a minimum number of events
and a duration. Nothing is trained. The distance to a fault is 1 / how far the weakest clause is beyond its threshold, and
the distance to normal is 1. `cases.calibration` scales all thresholds together, as for every system.
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
from faultprint.windows.labelling import fault_names
from faultprint.windows.trailing import trailing_max
from faultprint_lab.baselines.systems import System, matches_of
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, FittedSystem
from faultprint_lab.benchmark.trials import BenchmarkTrial

_MAX_DISTANCE: Final = 1e6
"""The distance to a fault whose rule does not hold at all."""


@dataclass(frozen=True, slots=True)
class Clause:
    """`feature` is above `bound`.

    - `min_events`: with fewer events behind the value the clause does not hold.
    - `times_normal`: the bound is a multiple of the node's normal median.
    - `complement`: 1 - feature is compared, for a share.
    - `below`: the feature is below the bound.
    """

    feature: str
    bound: float
    min_events: float = 5
    times_normal: bool = False
    complement: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """`condition` is named when all clauses hold for `minutes` consecutive minutes."""

    condition: str
    clauses: tuple[Clause, ...]
    minutes: int = 3


RULES: Final = (
    # Registrations fail or get no answer, calls within dialogs continue (UR.SuccInitReg / UR.AttInitReg, IRA).
    Threshold(
        "hss-link-down", (Clause("node.ira", 0.3), Clause("in.register_initial.success_share", 0.9, complement=True))
    ),
    # RRD: the first answer to a registration waits for the HSS.
    Threshold("hss-slow", (Clause("out.register.delay_median", 0.8),)),
    Threshold("hss-errors", (Clause("in.register_initial.server_error_share", 0.2),)),
    # INVITEs fail between the node and the application server, registrations do not (ISA, IRA).
    Threshold("as-failing", (Clause("out.invite.server_error_share", 0.2), Clause("node.ira", 0.1, below=True))),
    # INVITEs fail in the node, before they are forwarded.
    Threshold("pcrf-down", (Clause("in.invite_originating.server_error_share", 0.2), Clause("node.isa", 0.2))),
    # Requests to the core get no answer.
    Threshold("core-leg-down", (Clause("out.register.timeout_share", 0.3), Clause("out.invite.timeout_share", 0.3))),
    Threshold("scscf-down", (Clause("out.other.timeout_share", 0.2), Clause("in.bye.timeout_share", 0.2))),
    # Half of the traffic is missing (all messages together), for longer than a short pause.
    Threshold("traffic-blocked", (Clause("node.messages", 0.5, times_normal=True, below=True),), minutes=5),
    Threshold("registration-storm", (Clause("in.register_initial.attempts", 3, times_normal=True, min_events=20),)),
    # Delays and retransmissions towards the core rise: the link. Responses are repeated while the core is unchanged: the node.
    Threshold(
        "link-at-capacity",
        (Clause("out.invite.retransmission_share", 0.5), Clause("out.other.delay_median", 1.0)),
    ),
    Threshold("packet-loss", (Clause("node.response_retransmission_share", 0.05, min_events=50),), minutes=5),
    Threshold("overload", (Clause("in.other.retransmission_share", 0.5), Clause("in.other.delay_median", 1.0))),
    # Registrations are slow at the node and fast behind it.
    Threshold(
        "dns-slow",
        (Clause("in.register_initial.delay_median", 1.0), Clause("in.register_initial.retransmission_share", 0.3)),
    ),
)
"""In the units of the features (docs/reference/features.md)."""


class OperatorRules:
    """Knows the faults that its rules name, without training. Rules for faults that the data does not have are left out."""

    name = "thresholds"

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """Only trials without hidden faults."""
        if trial.hidden:
            return "rules are written by hand, need no examples, and name every fault from the start"
        return ""

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Choose the rules for faults that occur in the training split."""
        occurring = fault_names(data.split.train_labels)
        return _FixedRules(RuleSystem(data.model.catalogue, [rule for rule in RULES if rule.condition in occurring]))


class _FixedRules:
    retrains = True

    def __init__(self, system: RuleSystem) -> None:
        self._system = system

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        return self._system


class RuleSystem:
    """Applies the rules to every minute."""

    name = "thresholds"
    max_ratio = float("inf")

    def __init__(self, catalogue: Catalogue, rules: Sequence[Threshold]) -> None:
        self._catalogue, self._rules = catalogue, tuple(sorted(rules, key=lambda rule: rule.condition))

    def match(self, scope: EvaluationScope) -> Matches:
        """The distance to normal is 1, that to a fault 1 / how far its weakest clause is beyond the threshold."""
        columns = [np.ones(len(scope.last_minutes), np.float32)]
        for rule in self._rules:
            excess = np.stack([self._excess(clause, scope) for clause in rule.clauses]).min(axis=0)
            # Minimum over the last minutes: minus the maximum of the negatives.
            lasting = -trailing_max(-excess[:, None], rule.minutes)[:, 0]
            columns.append((1 / np.maximum(lasting, 1 / _MAX_DISTANCE))[scope.last_minutes].astype(np.float32))
        return matches_of((NORMAL, *(rule.condition for rule in self._rules)), np.stack(columns, axis=1))

    def _excess(self, clause: Clause, scope: EvaluationScope) -> Float32Array:
        """(T,) value / bound (`below`: bound / value); 0 where the value is missing or rests on too few events."""
        values = scope.series.values
        column = values[:, self._catalogue.index(clause.feature)]
        support = self._catalogue.features[self._catalogue.index(clause.feature)].support
        bound = np.float32(clause.bound)
        if clause.times_normal:
            normal = column[scope.baseline_minutes]
            bound *= np.float32(np.nanmedian(normal)) if len(normal) else np.float32(np.nan)
        value = 1 - column if clause.complement else column
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = bound / value if clause.below else value / bound
        valid = ~np.isnan(ratio)
        if support and not clause.below:
            valid &= values[:, self._catalogue.index(support)] >= clause.min_events
        return np.asarray(np.where(valid, np.minimum(ratio, _MAX_DISTANCE), 0), np.float32)
