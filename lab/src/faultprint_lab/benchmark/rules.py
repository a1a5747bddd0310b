"""The rule of every system, set in one way: on networks that trained none of them and gave no reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import CalibrationSet, calibrate, calibration_sets, max_uncertainty
from faultprint.cases.decision import Rule
from faultprint.cases.matching import NORMAL_INDEX
from faultprint.cases.scope import EvaluationScope
from faultprint_lab.baselines.compare import PERSISTENCE
from faultprint_lab.baselines.systems import System

_OWN: Final = 0.99
_NORMAL: Final = 0.999


def rule_for(
    system: System, kept: Sequence[EvaluationScope], labels: pl.DataFrame, window: int, *, unknown: bool
) -> Rule:
    """The rule by `cases.calibration`; it calls nothing unknown unless `unknown`."""
    found = calibration_sets(kept, labels, system.match, window)
    beyond, doubt = (_beyond(found), max_uncertainty(found)) if unknown else (float("inf"), None)
    return calibrate(found, persistence=PERSISTENCE, loosest=system.loosest, unknown_beyond=beyond, unknown_doubt=doubt)


def _beyond(found: Sequence[CalibrationSet]) -> float:
    """Further from everything than all but one in a hundred clear fault windows from their own condition, and than all but
    one in a thousand normal windows from normal."""
    own = [track.matches.distance_to(track.own)[track.own >= 0] for track in found]
    usual = [track.matches.distances[track.quiet, NORMAL_INDEX] for track in found]
    bounds = [
        float(np.quantile(values, level))
        for parts, level in ((own, _OWN), (usual, _NORMAL))
        if parts and len(values := np.concatenate(parts))
    ]
    return max(bounds) if bounds else float("inf")
