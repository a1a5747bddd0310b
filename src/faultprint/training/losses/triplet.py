"""Squared Euclidean distances, which all losses here use, and losses over given triplets.

The case library measures distances too, so that training optimises what matching uses.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

MARGIN: Final = 0.2
EPSILON: Final = 1e-8


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(B,) squared distances between the rows of (B, D) and the same rows of (B, D)."""
    return ((a - b) ** 2).sum(dim=1)


def pairwise_squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(A, B) squared distances between every row of (A, D) and every row of (B, D), at least 0."""
    cross = a @ b.T
    return torch.relu((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * cross)


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean of max(AP − AN + margin, 0) over triplets, each (B, D): FaceNet's loss (Schroff et al. 2015, arXiv 1503.03832).

    The 2017 baseline uses it with a margin of 0.2.
    """
    return torch.relu(squared_distances(anchor, positive) - squared_distances(anchor, negative) + margin).mean()


def count_violations(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = MARGIN) -> int:
    """Number of triplets, each (B, D), that violate the margin: AP − AN + margin is above 0."""
    return int((squared_distances(anchor, positive) - squared_distances(anchor, negative) + margin > 0).sum())


def lossless(anchor: Tensor, positive: Tensor, negative: Tensor, epsilon: float = EPSILON) -> Tensor:
    """The lossless triplet loss of M.-O. Arsenault, for outputs in [0, 1], each (B, N). Its gradient never becomes zero.

    Mean of −ln(1 − AP/β + ε) − ln(1 − (N − AN)/β + ε), where β = N, the number of dimensions.
    """
    beta = anchor.shape[1]
    near = -torch.log(1 - squared_distances(anchor, positive) / beta + epsilon)
    far = -torch.log(1 - (beta - squared_distances(anchor, negative)) / beta + epsilon)
    return (near + far).mean()
