"""How well the baseline check separates wrong baselines from right ones (`cases.baseline.check_baseline`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray
from faultprint.cases.baseline import check_baseline
from faultprint.cases.scope import EvaluationScope
from faultprint.evaluation.truth import truth_of_windows
from faultprint.tables import NORMAL
from faultprint_lab.baselines.systems import ModelSpace
from faultprint_lab.benchmark.competitors.encoders import EncoderCompetitor, ReferenceMatching, population_baseline_of
from faultprint_lab.benchmark.prepared import PreparedTrial

STEP: Final = 30
"""Minutes from one checked hour of normal traffic to the next."""
MIN_FAULT_SHARE: Final = 0.9
"""Share of faulty minutes from which an hour counts as an hour of a fault."""


class BaselineCheckEncoder(EncoderCompetitor):
    """The default preset; every hour is checked as if it were the baseline of the node."""

    def figures(self, prepared: PreparedTrial) -> dict[str, Any]:
        """Shares of the hours that the check suspects, by what they hold; None where there are none."""
        model = self.model(prepared.data)
        space = ModelSpace(self.name, model, population_baseline_of(model, prepared.data))
        matcher = ReferenceMatching(space, prepared.data.examples).matcher([])
        of_normal: list[str | None] = []
        of_fault: list[str | None] = []
        true_faults: list[str] = []
        for scope in prepared.scopes:
            windows = truth_of_windows(prepared.true_conditions, scope)
            truth = np.array(windows["truth"].to_list(), dtype=object)
            normal = np.flatnonzero(truth == NORMAL)[::STEP]
            fault = np.flatnonzero((truth != NORMAL) & windows["truth"].is_not_null().to_numpy())
            fault = fault[windows["exposed"].to_numpy()[fault] >= MIN_FAULT_SHARE * model.window]
            for rows, suspected in ((normal, of_normal), (fault, of_fault)):
                hours = (_hour(scope, int(row), model.window) for row in rows)
                suspected += [check_baseline(scope.series, hour, model, matcher) for hour in hours]
            true_faults += truth[fault].tolist()
        return {
            "suspect_normal": _share([condition is not None for condition in of_normal]),
            "suspect_fault": _share([condition is not None for condition in of_fault]),
            "suspect_named": _share([name == true for name, true in zip(of_fault, true_faults, strict=True)]),
            "hours": len(of_normal) + len(of_fault),
        }


def _hour(scope: EvaluationScope, row: int, window: int) -> BoolArray:
    """(T,) the observed minutes of one window of the scope."""
    chosen = np.zeros(len(scope.series), np.bool_)
    last = int(scope.last_minutes[row])
    chosen[max(last - window + 1, 0) : last + 1] = True
    return chosen & scope.series.observed


def _share(flags: list[bool]) -> float | None:
    return float(np.mean(flags)) if flags else None


BASELINE_CHECKS: Final = (BaselineCheckEncoder("default", "default"),)
