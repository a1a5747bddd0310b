"""How well hours that are wrongly taken as a node's normal are told from those that are rightly (`cases.doubtful`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray
from faultprint.cases.baseline_check import check_baseline
from faultprint.cases.scope import EvaluationScope
from faultprint.evaluation.truth import of_windows
from faultprint.tables import NORMAL
from faultprint_lab.baselines.systems import ModelSpace
from faultprint_lab.benchmark.competitors.encoders import Encoder, ReferenceMatching, population_baseline_of
from faultprint_lab.benchmark.prepared import PreparedTrial

APART: Final = 30
"""Minutes from one normal hour that is asked about to the next."""
FULL: Final = 0.9
"""Share of an hour that is faulty where it is an hour of a fault."""


class Vouched(Encoder):
    """The default preset, asked about every hour as if somebody vouched for it."""

    def figures(self, setting: PreparedTrial) -> dict[str, Any]:
        """Shares of the hours doubted, by what was true of them; None where there is none of a kind."""
        model = self.model(setting.school)
        space = ModelSpace(self.name, model, population_baseline_of(model, setting.school))
        matcher = ReferenceMatching(space, setting.school.known).matcher([])
        sound, amid, named = [], [], []
        for place in setting.places:
            rows = of_windows(setting.known, place)
            words = np.array(rows["truth"].to_list(), dtype=object)
            normal = np.flatnonzero(words == NORMAL)[::APART]
            fault = np.flatnonzero((words != NORMAL) & rows["truth"].is_not_null().to_numpy())
            fault = fault[rows["exposed"].to_numpy()[fault] >= FULL * model.window]
            sound += [
                check_baseline(place.series, _hour(place, int(row), model.window), model, matcher) for row in normal
            ]
            amid += [
                check_baseline(place.series, _hour(place, int(row), model.window), model, matcher) for row in fault
            ]
            named += words[fault].tolist()
        return {
            "doubted_normal": _share([said is not None for said in sound]),
            "doubted_fault": _share([said is not None for said in amid]),
            "doubted_by_name": _share([said == word for said, word in zip(amid, named, strict=True)]),
            "hours": len(sound) + len(amid),
        }


def _hour(place: EvaluationScope, row: int, window: int) -> BoolArray:
    """(T,) the observed minutes of the place's window."""
    chosen = np.zeros(len(place.series), np.bool_)
    last = int(place.last_minutes[row])
    chosen[max(last - window + 1, 0) : last + 1] = True
    return chosen & place.series.observed


def _share(said: list[bool]) -> float | None:
    return float(np.mean(said)) if said else None


VOUCHED: Final = (Vouched("default", "default"),)
