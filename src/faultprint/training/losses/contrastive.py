"""Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362) over squared distances, with normal at the origin.

Khosla's similarity is a cosine; here it is the negative squared distance, because the case library measures distances, and
because vectors arrive minus their node's normal mean: normal has no direction, it has a place. That place, the origin, is
one more vector of the batch.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from faultprint.training.losses.distances import squared_pairs

TEMPERATURE: Final = 0.5


def contrastive(vectors: Tensor, labels: Tensor, normal: int = 0, temperature: float = TEMPERATURE) -> Tensor:
    """Mean over anchors i, and over their partners j of the same label, of −ln(exp(−d²ᵢⱼ/t) / Σₖ exp(−d²ᵢₖ/t)), k ≠ i.

    `vectors` (B, D) are the anchors, `labels` (B,); the origin, labelled `normal`, is a partner and no anchor. An anchor
    without partners counts as 0.
    """
    everything = torch.cat([vectors, torch.zeros_like(vectors[:1])])
    partners = labels[:, None] == torch.cat([labels, labels.new_full((1,), normal)])[None]
    itself = torch.eye(len(vectors), len(everything), dtype=torch.bool)
    nearness = (-squared_pairs(vectors, everything) / temperature).masked_fill(itself, -torch.inf)
    likelihood = (nearness - nearness.logsumexp(dim=1, keepdim=True)).masked_fill(itself, 0)
    partners = partners & ~itself
    return -((likelihood * partners).sum(1) / partners.sum(1).clamp(min=1)).mean()
