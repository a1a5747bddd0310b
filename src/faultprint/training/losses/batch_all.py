"""The triplet loss over every triplet of a batch, each window embedded once (Hermans et al. 2017, arXiv 1703.07737).

A batch of B windows holds in the order of B³ triplets. For one anchor the sum over pairs (positive, negative) of
max(AP − AN + margin, 0) needs only the negatives in order of distance: those nearer than AP + margin count, and their sum
is a running total. So all triplets cost B² log B, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from faultprint.training.losses.distances import squared_pairs
from faultprint.training.losses.triplet import MARGIN


class BatchAll(NamedTuple):
    """The loss, and how many triplets were formed and how many of them still violated the margin."""

    loss: Tensor
    formed: int
    active: int


def batch_all(vectors: Tensor, labels: Tensor, margin: float = MARGIN) -> BatchAll:
    """Mean over the triplets of `vectors` (B, D) with `labels` (B,) that violate the margin (0 if none does)."""
    same = labels[:, None] == labels[None]
    positive = same.clone().fill_diagonal_(False)
    formed = int((positive.sum(1) * (~same).sum(1)).sum())
    distance = squared_pairs(vectors, vectors)
    ordered = distance.masked_fill(same, torch.inf).sort(dim=1).values
    total = torch.nn.functional.pad(ordered.masked_fill(ordered == torch.inf, 0).cumsum(1), (1, 0))
    limit = distance + margin
    nearer = torch.searchsorted(ordered.detach(), limit.detach())
    excess = nearer * limit - total.gather(1, nearer)
    active = int((nearer * positive).sum())
    loss = (excess * positive).sum() / max(active, 1)
    return BatchAll(loss, formed, active)
