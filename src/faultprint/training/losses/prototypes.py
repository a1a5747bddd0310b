"""Classification by the nearest of learned prototypes, one a fault, with normal's fixed at the origin.

Snell et al. (2017, arXiv 1703.05175) classify by −d² to a prototype; here prototypes are parameters, as in Movshovitz-Attias
et al. (2017, arXiv 1703.07464), and are thrown away after training with the rest of the frame. They give every window a pull
towards one place from the first batch on, where pairs pull it towards partners that still move.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faultprint.training.losses.distances import squared_pairs

TEMPERATURE: Final = 0.5
_SPREAD: Final = 0.3


class Prototypes(nn.Module):
    """`points` (K - 1, D): the faults' prototypes; label 0 is normal."""

    def __init__(self, conditions: int, dimensions: int, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        self.temperature = temperature
        self.points = nn.Parameter(_SPREAD * torch.randn(conditions - 1, dimensions))

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Mean over `vectors` (B, D) with `labels` (B,) of −ln(exp(−d²(own)/t) / Σₖ exp(−d²(k)/t))."""
        return cross_entropy(self.scores(vectors), labels)

    def scores(self, vectors: Tensor) -> Tensor:
        """(B, K) −d²(k)/t of `vectors` (B, D)."""
        places = torch.cat([torch.zeros_like(self.points[:1]), self.points])
        return -squared_pairs(vectors, places) / self.temperature
