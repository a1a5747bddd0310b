"""Pooling: the codes of a window's minutes become one row of their maximum, mean and last minute.

Every minute is encoded once and belongs to 60 windows. A code of a span of `s` minutes is pooled over the last W - s + 1
minutes only, so that no minute before the window changes its vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint.windows.trailing import trailing_max, trailing_sum


def pool(codes: Float32Array, observed: BoolArray, spans: Sequence[int], window: int) -> Float32Array:
    """(T, 3 · S · H) maximum, mean and last of the codes (T, S, H), for the window that ends at each minute.

    Minutes that are not observed do not count. Windows at the start of the series are shorter. Where a span has no
    observed minute, its maximum and mean are 0.
    """
    minutes = len(codes)
    seen = observed[:, None]
    peak, mean = np.empty_like(codes), np.empty_like(codes)
    for i, span in enumerate(spans):
        reach = window - span + 1
        count = trailing_sum(seen.astype(np.float32), reach)
        peak[:, i] = np.where(count > 0, trailing_max(np.where(seen, codes[:, i], -np.inf), reach), 0)
        mean[:, i] = trailing_sum(np.where(seen, codes[:, i], 0), reach) / np.maximum(count, 1)
    return np.concatenate([part.reshape(minutes, -1) for part in (peak, mean, codes)], axis=1)
