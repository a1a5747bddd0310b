"""Squared Euclidean distances, the measure of every loss here and of the case library."""

from __future__ import annotations

import torch
from torch import Tensor


def squared(a: Tensor, b: Tensor) -> Tensor:
    """(B,) squared distance between rows of (B, D) and (B, D)."""
    return ((a - b) ** 2).sum(dim=1)


def squared_pairs(a: Tensor, b: Tensor) -> Tensor:
    """(A, B) squared distance between every row of (A, D) and every row of (B, D), not negative."""
    cross = a @ b.T
    return torch.relu((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * cross)
