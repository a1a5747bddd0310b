"""How many dimensions an embedding really uses. Collapse is partial and silent: it shows here first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def effective_rank(vectors: npt.NDArray[Any]) -> float:
    """Participation ratio (Σλ)² / Σλ² of the eigenvalues of the covariance of (N, D) vectors: 1 for a line, D for a ball.

    0 where all vectors are one point.
    """
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    eigenvalues = np.linalg.svd(centred, compute_uv=False) ** 2
    total = float(eigenvalues.sum())
    return total**2 / float((eigenvalues**2).sum()) if total > 0 else 0.0
