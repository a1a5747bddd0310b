"""Why: the features that stand furthest from the node's normal, in words."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import IntArray
from faultprint.embedding.model import Model
from faultprint.features.catalogue import FeatureKind
from faultprint.windows.levels import Levels, compute_levels
from faultprint.windows.normalisation import CHANNELS, DeviationScale, deviation_scale, normalise_by
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series

RECENT: Final = 10
"""Minutes that the evidence looks back."""
NAMED: Final = 5
"""Features named, at most."""
_LEAST: Final = float(np.log1p(3.0))
"""Surprise below three standard deviations is no evidence."""


def evidence(series: Series, profile: Profile, model: Model, ends: IntArray, named: int = NAMED) -> list[list[str]]:
    """For the minutes `ends` (N,): words such as "in.register_initial.timeout_share +0.43 (normal 0.01)".

    A value is the mean over the last RECENT minutes, weighted by events (`windows.levels`). Strongest first: the order
    is that of the surprise (`windows.normalisation`), at least three standard deviations. `profile` is the node's.
    """
    if not len(ends):
        return []
    people = model.manifest.population or profile
    spans = (RECENT,)
    whole = compute_levels(series, model.kinds, spans)
    here = Levels(spans, whole.level[:, ends], whole.event_count[:, ends])
    return evidence_lines(here, deviation_scale(profile, people, model.kinds, spans), model, named)


def evidence_lines(recent: Levels, scale: DeviationScale, model: Model, named: int = NAMED) -> list[list[str]]:
    """The same from the levels over RECENT minutes, the only span; `windows.normalisation` says what their rows are."""
    surprise = normalise_by(recent, model.kinds, scale).reshape(recent.level.shape[1], CHANNELS, -1)[:, 0]
    usual = np.broadcast_to(scale.centre, surprise.shape)
    order = np.argsort(-np.abs(surprise), axis=1, kind="stable")[:, :named]
    features = model.catalogue.features
    return [
        [
            _word(features[f].name, features[f].kind, float(recent.level[0, row, f]), float(usual[row, f]))
            for f in order[row]
            if abs(surprise[row, f]) >= _LEAST
        ]
        for row in range(len(surprise))
    ]


def _word(name: str, kind: FeatureKind, level: float, usual: float) -> str:
    value, normal = (_natural(kind, number) for number in (level, usual))
    return f"{name} {value - normal:+.{_digits(value - normal)}f} (normal {normal:.{_digits(normal)}f})"


def _natural(kind: FeatureKind, level: float) -> float:
    """The inverse of the scales in `windows.levels`."""
    if kind == "count":
        return float(np.expm1(level))
    if kind == "seconds":
        return float(np.exp(level))
    return level if kind == "ratio" else float(np.copysign(np.expm1(abs(level)), level))


def _digits(value: float) -> int:
    """Decimals that show two significant digits, at most three."""
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.01 or size == 0 else 3
