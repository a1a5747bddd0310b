"""The rule of every system, set in one way: on networks that trained none of them and gave no reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import Track, calibrate, tracks
from faultprint.cases.decision import Rule
from faultprint.cases.ground import Ground
from faultprint.cases.matching import NORMAL_INDEX
from faultprint.evaluate.contest import PERSISTENCE
from faultprint.evaluate.metrics import CLEAR_EXPOSURE
from faultprint.evaluate.systems import System
from faultprint.windows.labelling import faults, minute_conditions, window_conditions

_OWN: Final = 0.99
_NORMAL: Final = 0.999


def rule_for(system: System, kept: Sequence[Ground], labels: pl.DataFrame, window: int, *, unknown: bool) -> Rule:
    """The rule by `cases.calibration`; it calls nothing unknown unless `unknown`."""
    found = tracks(kept, labels, system.match, window)
    beyond = _beyond(kept, found, labels, window) if unknown else float("inf")
    return calibrate(found, persistence=PERSISTENCE, loosest=system.loosest, unknown_beyond=beyond)


def _beyond(kept: Sequence[Ground], found: Sequence[Track], labels: pl.DataFrame, window: int) -> float:
    """Further from everything than all but one in a hundred fault windows (of ten exposed minutes) from their own condition,
    and than all but one in a thousand normal windows from normal."""
    names = faults(labels)
    own: list[np.ndarray] = []
    usual: list[np.ndarray] = []
    for place, track in zip(kept, found, strict=True):
        windows = window_conditions(minute_conditions(labels, place.series, names), window)
        rows = place.ends[place.ends >= place.begin] - (window - 1)
        code = np.where(windows.exposed[rows] >= CLEAR_EXPOSURE, windows.code[rows], -1)
        conditions = track.matches.conditions
        for number, word in enumerate(windows.conditions):
            if word in names and word in conditions:
                own.append(track.matches.distances[code == number, conditions.index(word)])
        usual.append(track.matches.distances[track.quiet, NORMAL_INDEX])
    bounds = [
        float(np.quantile(values, level))
        for parts, level in ((own, _OWN), (usual, _NORMAL))
        if parts and len(values := np.concatenate(parts))
    ]
    return max(bounds) if bounds else float("inf")
