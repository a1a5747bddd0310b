"""Classification by distance to one learned prototype per condition (Snell et al. 2017, arXiv 1703.05175, with the
prototypes learned as in proxy losses, Movshovitz-Attias et al. 2017, arXiv 1703.07464).

Vectors arrive minus their node's normal mean, so normal's prototype is the origin and is not learned: exactly the
comparison that the case library makes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faultprint.training.losses.distances import squared_pairs


class Prototypes(nn.Module):
    """Prototypes (K, D), the first of them the origin."""

    def __init__(self, conditions: int, dimensions: int, sharpness: float = 1.0) -> None:
        super().__init__()
        self.faults = nn.Parameter(torch.randn(conditions - 1, dimensions))
        self.sharpness = sharpness

    @property
    def all(self) -> Tensor:
        """(K, D)."""
        return torch.cat([torch.zeros_like(self.faults[:1]), self.faults])

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of softmax(−sharpness · squared distance) over (B, D) vectors with (B,) labels."""
        logits = -self.sharpness * squared_pairs(vectors, self.all)
        return nn.functional.cross_entropy(logits, labels)
