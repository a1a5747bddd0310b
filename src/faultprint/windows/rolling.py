"""Rolling windows of a series in batches, which bounds the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faultprint.arrays import Float32Array, IntArray


def rolling_windows(
    values: Float32Array,
    window: int,
    *,
    ends: IntArray | None = None,
    batch: int = 256,
) -> Iterator[tuple[IntArray, Float32Array]]:
    """The windows of `values` (T, F) that end at minutes `ends` (default: every minute with a full history).

    Yields (ends, windows): indices of last minutes (B,) and copies (B, window, F), B at most `batch`. A window holds the
    minutes `end - window + 1` to `end`. Raises ValueError for an end without a full window before it.
    """
    if window < 1 or batch < 1:
        raise ValueError(f"windows of {window} minutes in batches of {batch} are impossible; give numbers above 0")
    wanted = np.arange(window - 1, len(values), dtype=np.int64) if ends is None else np.asarray(ends, dtype=np.int64)
    if not len(wanted):
        return
    if wanted.min() < window - 1 or wanted.max() >= len(values):
        raise ValueError(f"windows of {window} minutes must end at minutes {window - 1} to {len(values) - 1}")
    view = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    for start in range(0, len(wanted), batch):
        batch_ends = wanted[start : start + batch]
        yield batch_ends, np.ascontiguousarray(view[batch_ends - (window - 1)].transpose(0, 2, 1))
