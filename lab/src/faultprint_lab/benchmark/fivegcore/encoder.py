"""The Siamese frame on single rows: encoders trained on batches of all conditions, and prototypes that name.

Of the losses of the default preset only that of the prototypes is left: with two dozen episodes a fault, many of which cannot
be told from normal, pairs and triplets pull hardest at the rows that have nothing in common (`docs/protocols.md` has figures).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import nn

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.data.dataset import NORMAL_CODE
from faultprint.training.device import seeded
from faultprint.training.losses.prototypes import Prototypes
from faultprint.training.networks.rows import DIMENSIONS, RowNetwork

MEMBERS: Final = 3
"""Encoders whose judgements are averaged: so little data leaves much to the first weights."""
STEPS: Final = 400
EACH: Final = 24
"""Rows of a fault in a batch; of normal ones there are as many as of four faults."""
_NORMAL: Final = 4
_LEARNING_RATE: Final = 3e-3
_WEIGHT_DECAY: Final = 3e-2
_LARGEST_GRADIENT: Final = 5.0


def judged(
    inputs: Float32Array,
    known: BoolArray,
    code: IntArray,
    conditions: int,
    *,
    seed: int,
    seconds: float,
    clock: Callable[[], float],
) -> Float32Array:
    """(T, conditions) the chances of every row of `inputs` (T, I), learnt from the `known` ones and their `code` (T,).

    No encoder is begun after `seconds` of the `clock`, but one is trained. Every condition must be known.
    """
    end = clock() + seconds
    chances: list[Float32Array] = []
    while not chances or (len(chances) < MEMBERS and clock() < end):
        with seeded(seed * MEMBERS + len(chances), torch.device("cpu")):
            member = _Member(inputs.shape[1], conditions)
            member.learn(inputs[known], code[known], np.random.default_rng([seed, len(chances)]))
            chances.append(member.chances(inputs, known & (code == NORMAL_CODE), code[known]))
    return np.asarray(np.mean(chances, axis=0), np.float32)


class _Member:
    """An encoder and its prototypes."""

    def __init__(self, inputs: int, conditions: int) -> None:
        self.network, self.prototypes = RowNetwork(inputs), Prototypes(conditions, DIMENSIONS)
        self.sizes = [_NORMAL * EACH] + [EACH] * (conditions - 1)

    def learn(self, inputs: Float32Array, code: IntArray, rng: np.random.Generator) -> None:
        """Batches in which conditions are as often as `sizes`, each vector minus the mean of the batch's normal ones."""
        rows, where = torch.from_numpy(inputs), [np.flatnonzero(code == one) for one in range(len(self.sizes))]
        labels = torch.from_numpy(np.repeat(np.arange(len(self.sizes)), self.sizes))
        learnt = [*self.network.parameters()], [*self.prototypes.parameters()]
        optimiser = torch.optim.AdamW(
            [{"params": learnt[0], "weight_decay": _WEIGHT_DECAY}, {"params": learnt[1], "weight_decay": 0.0}]
        )
        for step in range(STEPS):
            for group in optimiser.param_groups:
                group["lr"] = _LEARNING_RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
            drawn = np.concatenate([rng.choice(own, size) for own, size in zip(where, self.sizes, strict=True)])
            vectors = self.network(rows[drawn])
            loss = self.prototypes(vectors - vectors[: self.sizes[NORMAL_CODE]].mean(dim=0), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
            optimiser.step()

    @torch.no_grad()
    def chances(self, inputs: Float32Array, normal: BoolArray, code: IntArray) -> Float32Array:
        """By the distances to the prototypes, for conditions that are as often as in `code` rather than in the batches."""
        self.network.eval()
        vectors = self.network(torch.from_numpy(inputs))
        scores = self.prototypes.scores(vectors - vectors[torch.from_numpy(normal)].mean(dim=0))
        often = np.bincount(code, minlength=len(self.sizes)) / np.array(self.sizes)
        chances: Float32Array = (scores + torch.from_numpy(np.log(often)).float()).softmax(dim=1).numpy()
        return chances
