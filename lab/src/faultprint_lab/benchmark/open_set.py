"""How well what was never taught is told from what was: AUROC, and false positives at 95 % recall.

Positive is a window of a fault without any reference; its score is the system's doubt (`cases.matching.Matches`)
whether it is any of what is known, normal included. Conditions weigh alike, so that neither normal nor a long fault decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faultprint.arrays import Float64Array

RECALL: Final = 0.95


@dataclass(frozen=True, slots=True)
class OpenSet:
    """`auroc` 0 to 1; `fpr95` is the share of known windows called unknown where 95 % of the unknown ones are."""

    auroc: float
    fpr95: float


def open_set(score: Float64Array, condition: NDArray[np.object_], unknown: frozenset[str]) -> OpenSet | None:
    """Of the scores (N,) of windows of these conditions (N,); None where there are no unknown, or no known ones."""
    words, codes, counts = np.unique(condition.astype(str), return_inverse=True, return_counts=True)
    strange = np.isin(words, sorted(unknown))
    if strange.all() or not strange.any():
        return None
    weight = 1 / counts[codes]
    order = np.argsort(-score, kind="stable")
    hit = np.where(strange[codes], weight, 0.0)[order]
    miss = np.where(strange[codes], 0.0, weight)[order]
    # Equal scores stand or fall together.
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    recall = np.concatenate(([0.0], np.cumsum(hit)[last])) / hit.sum()
    false = np.concatenate(([0.0], np.cumsum(miss)[last])) / miss.sum()
    return OpenSet(float(np.trapezoid(recall, false)), float(false[np.searchsorted(recall, RECALL - 1e-12)]))
