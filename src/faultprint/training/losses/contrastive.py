"""Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362) with squared distances and normal at the origin.

Khosla's similarity is the cosine. Here it is the negative squared distance, because the case library measures distances. The
vectors are relative to the normal mean of their node, so normal is the origin: the origin is added to the batch.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from faultprint.training.losses.triplet import pairwise_squared_distances

TEMPERATURE: Final = 0.5


def contrastive(vectors: Tensor, labels: Tensor, normal: int = 0, temperature: float = TEMPERATURE) -> Tensor:
    """Mean over anchors i, and over their partners j of the same label, of −ln(exp(−d²ᵢⱼ/t) / Σₖ exp(−d²ᵢₖ/t)), k ≠ i.

    `vectors` (B, D) with `labels` (B,) are the anchors. The origin has the label `normal`; it is a partner, not an anchor. An
    anchor without partners contributes 0.
    """
    points = torch.cat([vectors, torch.zeros_like(vectors[:1])])
    partners = labels[:, None] == torch.cat([labels, labels.new_full((1,), normal)])[None]
    itself = torch.eye(len(vectors), len(points), dtype=torch.bool)
    similarity = (-pairwise_squared_distances(vectors, points) / temperature).masked_fill(itself, -torch.inf)
    log_likelihood = (similarity - similarity.logsumexp(dim=1, keepdim=True)).masked_fill(itself, 0)
    partners = partners & ~itself
    return -((log_likelihood * partners).sum(1) / partners.sum(1).clamp(min=1)).mean()
