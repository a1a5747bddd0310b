"""Evidence: the features that deviate most from the node's baseline, as text."""

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

EVIDENCE_MINUTES: Final = 10
"""Evidence is the mean of this many minutes."""
MAX_FEATURES: Final = 5
"""Features named, at most."""
_MIN_Z_SCORE: Final = float(np.log1p(3.0))
"""A deviation below three standard deviations is no evidence."""


def evidence(
    series: Series, profile: Profile, model: Model, last_minutes: IntArray, max_features: int = MAX_FEATURES
) -> list[list[str]]:
    """For each of the minutes `last_minutes` (N,) lines such as "in.register_initial.timeout_share +0.43 (normal 0.01)".

    A value is the mean of the last EVIDENCE_MINUTES, weighted by events (`windows.levels`). The features with the largest
    z-scores against the node's `profile` come first (`windows.normalisation`).
    """
    if not len(last_minutes):
        return []
    population = model.manifest.population or profile
    spans = (EVIDENCE_MINUTES,)
    whole = compute_levels(series, model.kinds, spans)
    recent = Levels(spans, whole.level[:, last_minutes], whole.event_count[:, last_minutes])
    return evidence_lines(recent, deviation_scale(profile, population, model.kinds, spans), model, max_features)


def evidence_lines(
    recent: Levels, scale: DeviationScale, model: Model, max_features: int = MAX_FEATURES
) -> list[list[str]]:
    """The same from levels (1, N, F) over EVIDENCE_MINUTES, their only span, and the scale of one node or of N nodes."""
    z_score = normalise_by(recent, model.kinds, scale).reshape(recent.level.shape[1], CHANNELS, -1)[:, 0]
    centre = np.broadcast_to(scale.centre, z_score.shape)
    order = np.argsort(-np.abs(z_score), axis=1, kind="stable")[:, :max_features]
    features = model.catalogue.features
    return [
        [
            _line(features[f].name, features[f].kind, float(recent.level[0, row, f]), float(centre[row, f]))
            for f in order[row]
            if abs(z_score[row, f]) >= _MIN_Z_SCORE
        ]
        for row in range(len(z_score))
    ]


def _line(name: str, kind: FeatureKind, level: float, centre: float) -> str:
    value, normal = (_natural(kind, number) for number in (level, centre))
    return f"{name} {value - normal:+.{_digits(value - normal)}f} (normal {normal:.{_digits(normal)}f})"


def _natural(kind: FeatureKind, level: float) -> float:
    """A level in the feature's own unit: the inverse of the scales in `windows.levels`."""
    if kind == "count":
        return float(np.expm1(level))
    if kind == "seconds":
        return float(np.exp(level))
    return level if kind == "ratio" else float(np.copysign(np.expm1(abs(level)), level))


def _digits(value: float) -> int:
    """Number of decimals for two significant digits, at most three decimals."""
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.01 or size == 0 else 3
