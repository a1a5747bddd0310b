"""How well unknown faults are separated from known conditions: AUROC, and false positives at 95 % recall.

A window of a fault without any reference is positive. Its score is the system's uncertainty (`cases.matching.Matches`).
Every condition has the same weight, so that neither normal traffic nor a long fault dominates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, roc_curve

from faultprint.arrays import Float64Array

RECALL: Final = 0.95


@dataclass(frozen=True, slots=True)
class OpenSetFigures:
    """`auroc` in 0 to 1; `fpr95` is the share of known windows called unknown where 95 % of the unknown ones are."""

    auroc: float
    fpr95: float


def open_set(score: Float64Array, condition: NDArray[np.object_], unknown: frozenset[str]) -> OpenSetFigures | None:
    """From scores (N,) of windows and their conditions (N,). None if there are no unknown or no known windows."""
    conditions, codes, counts = np.unique(condition.astype(str), return_inverse=True, return_counts=True)
    is_unknown = np.isin(conditions, sorted(unknown))
    if is_unknown.all() or not is_unknown.any():
        return None
    weight = 1 / counts[codes]
    false_positive_rate, recall, _ = roc_curve(is_unknown[codes], score, sample_weight=weight, drop_intermediate=False)
    first = np.searchsorted(recall, RECALL - 1e-12)
    return OpenSetFigures(float(auc(false_positive_rate, recall)), float(false_positive_rate[first]))
