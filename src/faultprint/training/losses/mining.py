"""Which triplets of a batch a loss is given, where it is not given all of them (`batch_all`).

Both draw from one batch whose windows are embedded once. `random_triplets` is the posts' way; `hardest_triplets` is Hermans et
al.'s batch hard (2017, arXiv 1703.07737).
"""

from __future__ import annotations

import torch
from torch import Tensor

from faultprint.training.losses.distances import squared_pairs


def random_triplets(labels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """`count` anchors, positives and negatives, as indices into `labels` (B,), 0 or more.

    The anchor's label is as likely as any other that has two windows, the negative's as any other label. None where there
    are no two labels, or none with two windows.
    """
    sizes = labels.bincount()[labels].to(torch.float32)
    alone, same = sizes < 2, labels[:, None] == labels[None]
    if bool(alone.all()) or bool(same.all()):
        nothing = labels[:0]
        return nothing, nothing, nothing
    anchors = torch.multinomial((~alone) / sizes, count, replacement=True)
    partners = same[anchors].to(torch.float32)
    partners[torch.arange(count), anchors] = 0
    others = (~same[anchors]) / sizes
    return anchors, torch.multinomial(partners, 1)[:, 0], torch.multinomial(others, 1)[:, 0]


def hardest_triplets(vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every window that has a partner and a stranger: itself, its farthest partner, its nearest stranger, as indices.

    `vectors` (B, D) bear `labels` (B,).
    """
    distance = squared_pairs(vectors.detach(), vectors.detach())
    same = labels[:, None] == labels[None]
    partners = same & ~torch.eye(len(labels), dtype=torch.bool)
    anchors = torch.nonzero(partners.any(1) & ~same.all(1))[:, 0]
    farthest = distance.masked_fill(~partners, -torch.inf)[anchors].argmax(1)
    nearest = distance.masked_fill(same, torch.inf)[anchors].argmin(1)
    return anchors, farthest, nearest
