"""Vectors of short windows: the last few minutes alone, as if the recording had begun with them.

A window of an hour still contains a fault for an hour after its end. The same encoder, given only the last minutes, shows
whether the fault is still active.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.encoder import OnnxEncoder
from faultprint.windows.levels import Levels, log_transform, weighted, weighted_mean
from faultprint.windows.normalisation import DeviationScale, deviation_scale, normalise_by
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series
from faultprint.windows.trailing import trailing_sum

SHORT_WINDOW_MINUTES: Final = 6
"""Minutes of a short window."""
_BLOCK: Final = 256
"""Windows encoded at a time. It bounds the memory and does not change the result."""


def embed_short_windows(
    encoder: OnnxEncoder, series: Series, profile: Profile, ends: IntArray, minutes: int = SHORT_WINDOW_MINUTES
) -> Float32Array:
    """(N, D) vectors of the windows of `minutes` that end at `ends` (ascending indices).

    Each is the vector that `Model.embed` gives for a series of these minutes only; NaN where fewer than half of them are
    observed. The series must fit the model (`Model.check_series`). Raises ModelError unless the encoder is "pooled".
    """
    manifest = encoder.manifest
    scale = deviation_scale(profile, encoder.population, encoder.kinds, manifest.spans)
    transformed = log_transform(series.values, encoder.kinds)
    vectors = np.empty((len(ends), manifest.dimensions), np.float32)
    for start in range(0, len(ends), _BLOCK):
        index = np.arange(1 - minutes, 1)[:, None] + ends[None, start : start + _BLOCK]
        observed = series.observed[np.maximum(index, 0)] & (index >= 0)
        values = np.where(observed[..., None], transformed[np.maximum(index, 0)], np.float32(np.nan))
        vectors[start : start + _BLOCK] = encode_short_windows(encoder, values, observed, scale)
    return vectors


def encode_short_windows(
    encoder: OnnxEncoder, values: Float32Array, observed: BoolArray, scale: DeviationScale
) -> Float32Array:
    """(N, D) vectors of N windows of M minutes each; NaN where fewer than half of the minutes are observed.

    values     (M, N, F) as `windows.levels.log_transform` gives them, NaN in a gap
    observed   (M, N)
    scale      of one node, or with N rows, one node each
    """
    vectors = encoder.apply_head(_pool(_encode(encoder, values, scale), observed))
    vectors[observed.sum(axis=0) * 2 < len(observed)] = np.nan
    return vectors


def _encode(encoder: OnnxEncoder, values: Float32Array, scale: DeviationScale) -> Float32Array:
    """(M, N, S, H) codes."""
    minutes, windows, features = values.shape
    spans = encoder.manifest.spans
    if scale.centre.ndim > 1:
        centre, per_event = (np.tile(rows, (minutes, 1)) for rows in (scale.centre, scale.per_event))
        scale = DeviationScale(centre, per_event, np.tile(scale.fixed, (1, minutes, 1)))
    amount, weight = weighted(values, encoder.kinds)
    level, event_count = [], []
    for span in spans:
        total, events = trailing_sum(amount, span), trailing_sum(weight, span)
        level.append(weighted_mean(total, events, encoder.kinds).reshape(-1, features))
        event_count.append(events.reshape(-1, features))
    inputs = normalise_by(Levels(spans, np.stack(level), np.stack(event_count)), encoder.kinds, scale)
    return encoder.encode_minutes(inputs).reshape(minutes, windows, len(spans), -1)


def _pool(codes: Float32Array, observed: BoolArray) -> Float32Array:
    """(N, 3 · S · H) maximum, mean and last of each window's codes; gaps (`observed` (M, N)) do not count."""
    seen = observed[..., None, None]
    count = observed.sum(axis=0)[:, None, None].astype(np.float32)
    peak = np.where(count > 0, np.where(seen, codes, -np.inf).max(axis=0), 0)
    mean = np.where(seen, codes, 0).sum(axis=0) / np.maximum(count, 1)
    return np.concatenate([part.reshape(len(count), -1) for part in (peak, mean, codes[-1])], axis=1).astype(np.float32)
