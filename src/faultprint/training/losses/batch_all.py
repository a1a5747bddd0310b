"""Triplet loss over all triplets of a batch, "batch all" of Hermans et al. (2017, arXiv 1703.07737).

A batch of B windows contains about B³ triplets. For one anchor, the sum over pairs (positive, negative) of
max(AP − AN + margin, 0) needs the negatives only in order of distance: the negatives that are nearer than AP + margin
contribute, and their sum is a cumulative sum. So the exact loss over all triplets costs B² log B.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from faultprint.training.losses.triplet import MARGIN, pairwise_squared_distances


class BatchAll(NamedTuple):
    """The loss, the number of triplets in the batch (`formed`), and the number that violates the margin (`active`)."""

    loss: Tensor
    formed: int
    active: int


def batch_all(vectors: Tensor, labels: Tensor, margin: float = MARGIN) -> BatchAll:
    """Mean loss of the triplets that violate the margin, or 0 if none does.

    `vectors` is (B, D), `labels` (B,) with values of 0 or more.
    """
    order = labels.argsort()
    sizes = [size for size in labels.bincount().tolist() if size]
    distance = pairwise_squared_distances(vectors[order], vectors[order])
    total, formed, active, start = distance.new_zeros(()), 0, 0, 0
    for size in sizes:
        same = slice(start, start + size)
        rows = distance[same]
        negatives = torch.cat([rows[:, :start], rows[:, start + size :]], dim=1)
        violation, violations = _sum_violations(rows[:, same], negatives, margin)
        total = total + violation
        active += violations
        formed += size * (size - 1) * (len(labels) - size)
        start += size
    return BatchAll(total / max(active, 1), formed, active)


def _sum_violations(positives: Tensor, negatives: Tensor, margin: float) -> tuple[Tensor, int]:
    """Sum and number of the violations of one label's anchors, from their distances (n, n) and (n, B - n).

    An anchor is not its own positive.
    """
    ordered = negatives.sort(dim=1).values
    cumulative = pad(ordered.cumsum(1), (1, 0))
    limit = positives + margin
    nearer = torch.searchsorted(ordered.detach(), limit.detach()).fill_diagonal_(0)
    return (nearer * limit - cumulative.gather(1, nearer)).sum(), int(nearer.sum())
