"""The triplet loss over every triplet of a batch, each window embedded once (Hermans et al. 2017, arXiv 1703.07737).

A batch of B windows holds in the order of B³ triplets. For one anchor the sum over pairs (positive, negative) of
max(AP − AN + margin, 0) needs only the negatives in order of distance: those nearer than AP + margin count, and their sum
is a running total. So all triplets cost B² log B, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from faultprint.training.losses.distances import squared_pairs
from faultprint.training.losses.triplet import MARGIN


class BatchAll(NamedTuple):
    """The loss, and how many triplets were formed and how many of them still violated the margin."""

    loss: Tensor
    formed: int
    active: int


def batch_all(vectors: Tensor, labels: Tensor, margin: float = MARGIN) -> BatchAll:
    """Mean over the triplets of `vectors` (B, D) with `labels` (B,), 0 or more, that violate the margin (0 if none does)."""
    order = labels.argsort()
    sizes = [size for size in labels.bincount().tolist() if size]
    distance = squared_pairs(vectors[order], vectors[order])
    total, formed, active, start = distance.new_zeros(()), 0, 0, 0
    for size in sizes:
        own = slice(start, start + size)
        rows = distance[own]
        excess, nearer = _excess(rows[:, own], torch.cat([rows[:, :start], rows[:, start + size :]], dim=1), margin)
        total = total + excess
        active += nearer
        formed += size * (size - 1) * (len(labels) - size)
        start += size
    return BatchAll(total / max(active, 1), formed, active)


def _excess(positives: Tensor, negatives: Tensor, margin: float) -> tuple[Tensor, int]:
    """Sum and number of violations of one label's anchors, given their distances (n, n) and (n, B - n).

    An anchor is no positive of its own.
    """
    ordered = negatives.sort(dim=1).values
    running = pad(ordered.cumsum(1), (1, 0))
    limit = positives + margin
    nearer = torch.searchsorted(ordered.detach(), limit.detach()).fill_diagonal_(0)
    return (nearer * limit - running.gather(1, nearer)).sum(), int(nearer.sum())
