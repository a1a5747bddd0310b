"""What the last few minutes say by themselves, as if listening had begun with them.

A window holds a fault for an hour after its end. The same encoder, given the last minutes only, tells whether it is still there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.windows.levels import Levels, scaled, weighted, weighted_mean
from faultprint.windows.normalise import Scale, deviations, scale
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series
from faultprint.windows.trailing import trailing_sum

if TYPE_CHECKING:
    from faultprint.embedding.model import Model


SHORT_WINDOW_MINUTES: Final = 6
"""Minutes that are recent."""
_BLOCK: Final = 256
"""Ends worked on at a time: bounds the memory, not the result."""


def embed_short_windows(
    model: Model, series: Series, profile: Profile, ends: IntArray, minutes: int = SHORT_WINDOW_MINUTES
) -> Float32Array:
    """(N, D) vectors of the `minutes` that end at `ends` (ascending indices), as `Model.embed` gives of a series that begins
    with them; NaN where fewer than half of them were observed.

    Raises ModelError where the encoder is not "pooled", or the minutes are not the model's.
    """
    model.check(series)
    measure = scale(profile, model.population, model.kinds, model.manifest.spans)
    every = scaled(series.values, model.kinds)
    result = np.empty((len(ends), model.dimensions), np.float32)
    for start in range(0, len(ends), _BLOCK):
        index = np.arange(1 - minutes, 1)[:, None] + ends[None, start : start + _BLOCK]
        inside = index >= 0
        here = series.observed[np.maximum(index, 0)] & inside
        values = np.where(here[..., None], every[np.maximum(index, 0)], np.float32(np.nan))
        result[start : start + _BLOCK] = embed_parts(model, values, here, measure)
    return result


def embed_parts(model: Model, values: Float32Array, here: BoolArray, measure: Scale) -> Float32Array:
    """(N, D) vectors of N parts of M minutes each: `values` (M, N, F) as `windows.levels.scaled` gives them, NaN in a gap;
    `here` (M, N) what was observed. The scale is one node's, or has N rows, a node's each."""
    codes = _encode(model, values, measure)
    vectors = model.head(_pool(codes, here))
    vectors[here.sum(axis=0) * 2 < len(here)] = np.nan
    return vectors


def _encode(model: Model, values: Float32Array, measure: Scale) -> Float32Array:
    """(M, N, S, H) codes."""
    minutes, parts, features = values.shape
    if measure.centre.ndim > 1:
        centre, per_event = (np.tile(one, (minutes, 1)) for one in (measure.centre, measure.per_event))
        measure = Scale(centre, per_event, np.tile(measure.fixed, (1, minutes, 1)))
    amount, weight = weighted(values, model.kinds)
    level, support = [], []
    for span in model.manifest.spans:
        total, events = (trailing_sum(one, span) for one in (amount, weight))
        level.append(weighted_mean(total, events, model.kinds).reshape(-1, features))
        support.append(events.reshape(-1, features))
    inputs = deviations(Levels(model.manifest.spans, np.stack(level), np.stack(support)), model.kinds, measure)
    return model.encode(inputs).reshape(minutes, parts, len(model.manifest.spans), -1)


def _pool(codes: Float32Array, here: BoolArray) -> Float32Array:
    """(N, 3 · S · H) maximum, mean and last of the parts' codes, gaps (`here` (M, N)) left out."""
    seen = here[..., None, None]
    count = here.sum(axis=0)[:, None, None].astype(np.float32)
    peak = np.where(count > 0, np.where(seen, codes, -np.inf).max(axis=0), 0)
    mean = np.where(seen, codes, 0).sum(axis=0) / np.maximum(count, 1)
    return np.concatenate([part.reshape(len(count), -1) for part in (peak, mean, codes[-1])], axis=1).astype(np.float32)
