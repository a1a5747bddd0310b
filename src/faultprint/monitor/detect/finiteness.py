"""Numbers that are not finite, or too large to measure a distance with: no verdict comes from them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array
from faultprint.embedding.model import NodeBaseline
from faultprint.embedding.streaming import StepRecord, StreamedWindows

LARGEST: Final = 1e15
"""Largest component of a vector, so that squares of distances are finite in float32."""


def sound_features(values: Float32Array) -> BoolArray:
    """(N,) which rows of features (N, F) hold no infinite number. NaN is a feature without a value."""
    return np.asarray(~np.isinf(values).any(axis=1), np.bool_)


def sound_steps(step: StreamedWindows, record: StepRecord) -> BoolArray:
    """(N,) which nodes' codes and whole windows are finite."""
    vectors = (np.abs(step.vectors) < LARGEST).all(axis=1) | ~step.whole
    return vectors & sound_codes(record.codes)


def sound_codes(codes: npt.NDArray[Any]) -> BoolArray:
    """(N,) which rows of packed codes (N, S, H) are finite. Quantized ones always are."""
    if codes.dtype.kind != "f":
        return np.ones(len(codes), np.bool_)
    return np.asarray(np.isfinite(codes).all(axis=(1, 2)), np.bool_)


def sound_baseline(baseline: NodeBaseline) -> bool:
    """Whether distances can be measured from a baseline."""
    profile = baseline.profile
    arrays = (profile.centre, profile.spread, profile.event_count, profile.value_count)
    short = baseline.short_mean
    return bool(
        (np.abs(baseline.mean) < LARGEST).all()
        and not any(np.isinf(array).any() for array in arrays)
        and (short is None or (np.abs(short) < LARGEST).all())
    )
