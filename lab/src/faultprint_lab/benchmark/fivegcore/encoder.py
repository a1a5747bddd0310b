"""Encoders of single rows, trained on batches of all conditions; the nearest prototype classifies.

Of the losses of the default preset only the prototype loss is used. There are two dozen episodes of a fault, and many
look like normal traffic, so pairs and triplets pull most at rows that have nothing in common (docs/science/protocols.md).
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
from faultprint_lab.benchmark.fivegcore.network import DIMENSIONS, RowNetwork

MEMBERS: Final = 3
"""Encoders whose probabilities are averaged: with so little data the result depends on the initial weights."""
STEPS: Final = 400
FAULT_ROWS: Final = 24
"""Rows of each fault in a batch."""
_NORMAL_FACTOR: Final = 4
"""Normal rows in a batch, in multiples of FAULT_ROWS."""
_LEARNING_RATE: Final = 3e-3
_WEIGHT_DECAY: Final = 3e-2
_MAX_GRADIENT_NORM: Final = 5.0


def encoder_probabilities(
    inputs: Float32Array,
    known: BoolArray,
    code: IntArray,
    conditions: int,
    *,
    seed: int,
    seconds: float,
    clock: Callable[[], float],
) -> Float32Array:
    """(T, conditions) probabilities of every row of `inputs` (T, I), trained on the `known` rows with their `code` (T,).

    No encoder is started after `seconds` of the `clock`, except the first. Every condition must occur in the known rows.
    """
    end = clock() + seconds
    members: list[Float32Array] = []
    while not members or (len(members) < MEMBERS and clock() < end):
        with seeded(seed * MEMBERS + len(members), torch.device("cpu")):
            member = RowEncoder(inputs.shape[1], conditions)
            member.fit(inputs[known], code[known], np.random.default_rng([seed, len(members)]))
            members.append(member.probabilities(inputs, known & (code == NORMAL_CODE), code[known]))
    return np.asarray(np.mean(members, axis=0), np.float32)


class RowEncoder:
    """One encoder with its prototypes."""

    def __init__(self, inputs: int, conditions: int) -> None:
        self.network, self.prototypes = RowNetwork(inputs), Prototypes(conditions, DIMENSIONS)
        self.sizes = [_NORMAL_FACTOR * FAULT_ROWS] + [FAULT_ROWS] * (conditions - 1)

    def fit(self, inputs: Float32Array, code: IntArray, rng: np.random.Generator) -> None:
        """Batches with `sizes` rows of the conditions; the mean of the batch's normal vectors is subtracted from each vector."""
        rows = torch.from_numpy(inputs)
        by_condition = [np.flatnonzero(code == condition) for condition in range(len(self.sizes))]
        labels = torch.from_numpy(np.repeat(np.arange(len(self.sizes)), self.sizes))
        parameters = [*self.network.parameters()], [*self.prototypes.parameters()]
        optimiser = torch.optim.AdamW(
            [{"params": parameters[0], "weight_decay": _WEIGHT_DECAY}, {"params": parameters[1], "weight_decay": 0.0}]
        )
        for step in range(STEPS):
            for group in optimiser.param_groups:
                group["lr"] = _LEARNING_RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
            drawn = np.concatenate(
                [rng.choice(indices, size) for indices, size in zip(by_condition, self.sizes, strict=True)]
            )
            vectors = self.network(rows[drawn])
            loss = self.prototypes(vectors - vectors[: self.sizes[NORMAL_CODE]].mean(dim=0), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_GRADIENT_NORM)
            optimiser.step()

    @torch.no_grad()
    def probabilities(self, inputs: Float32Array, normal: BoolArray, code: IntArray) -> Float32Array:
        """From distances to the prototypes, for conditions as frequent as in `code` instead of as in the batches."""
        self.network.eval()
        vectors = self.network(torch.from_numpy(inputs))
        scores = self.prototypes.scores(vectors - vectors[torch.from_numpy(normal)].mean(dim=0))
        prior = np.bincount(code, minlength=len(self.sizes)) / np.array(self.sizes)
        probabilities: Float32Array = (scores + torch.from_numpy(np.log(prior)).float()).softmax(dim=1).numpy()
        return probabilities
