"""Whether the minutes that are taken as a node's normal look like a fault themselves.

Whoever starts Faultprint amid a fault teaches it that the fault is normal. So these minutes are looked at as a stranger's
(`embedding.stranger`): do they lie far nearer to a fault's reference than to a stranger's normal?
"""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import BoolArray
from faultprint.cases.decision import Rule, raw_verdicts
from faultprint.cases.matching import NORMAL_INDEX, Matcher
from faultprint.embedding.model import Model
from faultprint.windows.series import Series

MAX_DISTANCE_RATIO: Final = 0.7
"""How much nearer a fault must be (`cases.decision.Rule`); docs/decisions/0015 tells what came of others."""


def check_baseline(series: Series, normal: BoolArray, model: Model, matcher: Matcher) -> str | None:
    """The fault that the minutes `normal` (T,) look like; None where they do not, or the model knows no strangers."""
    if model.manifest.population_baseline is None:
        return None
    usual = model.population_baseline
    vector = model.mean(series, normal, usual.profile) - usual.mean
    matches = matcher.match(vector[None])
    code = int(raw_verdicts(matches, np.ones(1, np.bool_), Rule(max_distance_ratio=MAX_DISTANCE_RATIO))[0])
    return None if code == NORMAL_INDEX else matches.conditions[code]
