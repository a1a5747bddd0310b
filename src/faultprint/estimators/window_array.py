"""Windows of minutes as arrays: their checks, their baseline and their vectors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faultprint.arguments import shown
from faultprint.arrays import BoolArray, Float32Array
from faultprint.embedding.model import WHOLE_WINDOW_SHARE, Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.windows.levels import compute_levels
from faultprint.windows.profile import build_profile
from faultprint.windows.series import Series

_BATCH: Final = 256
"""Windows encoded at a time, which bounds the memory."""


class InputError(UsageError, ValueError):
    """Windows or labels that cannot be used. It is a ValueError too, as scikit-learn expects of an estimator."""


def as_windows(values: Any, model: Model) -> Float32Array:
    """(N, W, F) float32 from windows of shape (N, W * F) or (N, W, F), minute after minute. NaN is a missing value.

    Raises InputError for another shape or type, an infinite number, or a window with too few minutes for a vector.
    """
    window, features = model.window, len(model.catalogue.names)
    if hasattr(values, "nnz"):
        raise InputError("X is sparse, which is not supported; pass a dense array, such as X.toarray() gives.")
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("Complex data not supported")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"X is no array of numbers ({str(error)[:80]}); pass one of shape (n, {window}, {features})."
        ) from None
    if array.shape[1:] not in ((window * features,), (window, features)):
        raise InputError(
            f"X has shape {array.shape}, but must hold windows of {window} minutes with {features} features; "
            f"pass an array of shape (n, {window}, {features}) or (n, {window * features})."
        )
    if np.isinf(array).any():
        raise InputError("X holds an infinite number; pass NaN where a feature has no value.")
    array = array.reshape(-1, window, features)
    observed = ~np.isnan(array).all(axis=2)
    needed = int(np.ceil(WHOLE_WINDOW_SHARE * window))
    short = np.flatnonzero((observed.sum(axis=1) < needed) | ~observed[:, -1])
    if len(short):
        raise InputError(
            f"Window {short[0]} of X has {int(observed[short[0]].sum())} observed minutes, but needs {needed} with the last "
            "among them; leave it out."
        )
    return array


def windows_baseline(windows: Float32Array, model: Model) -> NodeBaseline:
    """The baseline that normal windows (N, W, F), N > 0, give: the profile of their minutes, and their mean vector."""
    series = _series(windows.reshape(-1, windows.shape[2]), model)
    profile = build_profile(compute_levels(series, model.kinds, (1,)), model.kinds, series.observed)
    at_zero = NodeBaseline(profile, np.zeros(model.dimensions, np.float32))
    return NodeBaseline(
        profile, window_vectors(windows, model, at_zero).mean(axis=0, dtype=np.float64).astype(np.float32)
    )


def window_vectors(windows: Float32Array, model: Model, baseline: NodeBaseline) -> Float32Array:
    """(N, D) the vectors of the windows (N, W, F), measured from the baseline's mean vector."""
    vectors = np.empty((len(windows), model.dimensions), np.float32)
    number, width, features = windows.shape
    # Minutes without a value between the windows keep the means over several minutes of one out of the next.
    padded = width + max(model.manifest.spans)
    for start in range(0, number, _BATCH):
        batch = windows[start : start + _BATCH]
        minutes = np.full((len(batch), padded, features), np.nan, np.float32)
        minutes[:, -width:] = batch
        ends = padded * np.arange(1, len(batch) + 1, dtype=np.int64) - 1
        embedded = model.embed(_series(minutes.reshape(-1, features), model), baseline.profile, ends=ends)
        vectors[start : start + _BATCH] = embedded.vectors - baseline.mean
    return vectors


def as_labels(values: Any, number: int) -> np.ndarray[Any, Any]:
    """(N,) the label of each of `number` windows. Raises InputError."""
    if values is None:
        raise InputError("fit requires y to be passed, but the target y is None; pass the condition of each window.")
    labels = np.asarray(values)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (number,):
        raise InputError(f"y has shape {labels.shape}, but X holds {number} windows; pass one label a window.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InputError(f"y holds {shown(float('nan'))} or an infinite number; pass the condition of each window.")
    return labels


def _series(values: Float32Array, model: Model) -> Series:
    observed: BoolArray = np.logical_not(np.isnan(values).all(axis=1))
    return Series("windows", "windows", 0, model.manifest.interval_us, model.catalogue.names, values, observed)
