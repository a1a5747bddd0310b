"""What the loop needs of a preset: a step, and a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import nn

from faultprint.embedding.artefact import EncoderKind
from faultprint.embedding.model import Model
from faultprint.windows.profile import Profile


class Step(NamedTuple):
    """What one update did: windows embedded, triplets formed and those that still violated the margin."""

    loss: float
    windows: int
    triplets: int
    active: int
    vectors: npt.NDArray[np.float32]


class Task(Protocol):
    """A network in training, and what its artefact needs: see `embedding.artefact.Manifest`."""

    encoder: EncoderKind
    spans: tuple[int, ...]
    people: Profile | None
    dimensions: int

    @property
    def network(self) -> nn.Module:
        """The network."""

    def step(self, done: float) -> Step:
        """Draw a batch and learn from it; `done` is the share of the training that lies behind, 0 to 1."""

    def validate(self) -> float:
        """The score on networks held out; higher is better."""

    def graphs(self) -> Mapping[str, bytes]:
        """The network as ONNX graphs, by member name."""

    def compare(self, model: Model) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(torch's, the exported model's) vectors of the same windows."""
