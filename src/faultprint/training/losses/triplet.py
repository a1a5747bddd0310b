"""Triplet losses over given triplets.

`triplet` is FaceNet's (Schroff et al. 2015, arXiv 1503.03832), which the posts use with a margin of 0.2; `lossless` is
Marc-Olivier Arsenault's, which never stops pulling, for outputs in [0, 1].
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from faultprint.training.losses.distances import squared

MARGIN: Final = 0.2
EPSILON: Final = 1e-8


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean of max(AP − AN + margin, 0) over a batch of triplets, each (B, D)."""
    return torch.relu(squared(anchor, positive) - squared(anchor, negative) + margin).mean()


def violating(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = MARGIN) -> int:
    """How many of the triplets, each (B, D), violate the margin: AP − AN + margin is above 0."""
    return int((squared(anchor, positive) - squared(anchor, negative) + margin > 0).sum())


def lossless(anchor: Tensor, positive: Tensor, negative: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Mean of −ln(1 − AP/β + ε) − ln(1 − (N − AN)/β + ε) with β = N dimensions; (B, N) each, within [0, 1]."""
    beta = anchor.shape[1]
    near = -torch.log(1 - squared(anchor, positive) / beta + epsilon)
    far = -torch.log(1 - (beta - squared(anchor, negative)) / beta + epsilon)
    return (near + far).mean()
