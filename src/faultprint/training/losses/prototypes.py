"""Classification by the nearest learned prototype: one prototype for each fault, and the origin for normal.

Snell et al. (2017, arXiv 1703.05175) classify by −d² to a prototype. Here the prototypes are parameters, as in
Movshovitz-Attias et al. (2017, arXiv 1703.07464), and are not exported. From the first batch on they pull every window towards
a fixed point, while its partners in the contrastive loss still move.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faultprint.training.losses.triplet import pairwise_squared_distances

TEMPERATURE: Final = 0.5
_INITIAL_SCALE: Final = 0.3


class Prototypes(nn.Module):
    """`points` (K - 1, D) are the prototypes of the faults. Label 0 is normal."""

    def __init__(self, conditions: int, dimensions: int, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        self.temperature = temperature
        self.points = nn.Parameter(_INITIAL_SCALE * torch.randn(conditions - 1, dimensions))

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Mean over `vectors` (B, D) with `labels` (B,) of −ln(exp(−d²(own)/t) / Σₖ exp(−d²(k)/t))."""
        return cross_entropy(self.scores(vectors), labels)

    def scores(self, vectors: Tensor) -> Tensor:
        """(B, K) −d²(k)/t of `vectors` (B, D)."""
        points = torch.cat([torch.zeros_like(self.points[:1]), self.points])
        return -pairwise_squared_distances(vectors, points) / self.temperature
