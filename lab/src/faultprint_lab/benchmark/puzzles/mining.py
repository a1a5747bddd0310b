"""Triplet mining: the choice of some triplets of a batch, as an alternative to all of them (`batch_all`).

Every window of the batch is embedded once. `random_triplets` is the method of the 2017 baseline; `hardest_triplets` is "batch
hard" of Hermans et al. (2017, arXiv 1703.07737).
"""

from __future__ import annotations

import torch
from torch import Tensor

from faultprint.training.losses.triplet import pairwise_squared_distances


def random_triplets(labels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """`count` random anchors, positives and negatives, as indices into `labels` (B,), which are 0 or more.

    Every label with two windows is equally likely for the anchor, and every other label for the negative. The result is empty
    if there is only one label, or if no label has two windows.
    """
    sizes = labels.bincount()[labels].to(torch.float32)
    single, same = sizes < 2, labels[:, None] == labels[None]
    if bool(single.all()) or bool(same.all()):
        empty = labels[:0]
        return empty, empty, empty
    anchors = torch.multinomial((~single) / sizes, count, replacement=True)
    partners = same[anchors].to(torch.float32)
    partners[torch.arange(count), anchors] = 0
    others = (~same[anchors]) / sizes
    return anchors, torch.multinomial(partners, 1)[:, 0], torch.multinomial(others, 1)[:, 0]


def hardest_triplets(vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For every anchor, its farthest positive and its nearest negative, as three tensors of indices.

    `vectors` is (B, D), `labels` (B,). An anchor needs another window of its label, and a window of another label.
    """
    distance = pairwise_squared_distances(vectors.detach(), vectors.detach())
    same = labels[:, None] == labels[None]
    positives = same & ~torch.eye(len(labels), dtype=torch.bool)
    anchors = torch.nonzero(positives.any(1) & ~same.all(1))[:, 0]
    farthest = distance.masked_fill(~positives, -torch.inf)[anchors].argmax(1)
    nearest = distance.masked_fill(same, torch.inf)[anchors].argmin(1)
    return anchors, farthest, nearest
