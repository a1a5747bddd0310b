"""What the loop needs of a preset: a step, and a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from torch import nn
from torch.optim import Optimizer

from faultprint.arrays import Float32Array
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.training.animation.probe_set import ProbeSet
from faultprint.windows.profile import Profile


class Step(NamedTuple):
    """What one update did, at what learning rate: windows embedded, triplets formed, those that still violated the margin."""

    loss: float
    windows: int
    triplets: int
    active: int
    rate: float
    vectors: Float32Array


class TrainingTask(Protocol):
    """A network in training, and what its artefact needs: see `embedding.artefact.Manifest`."""

    encoder: EncoderKind
    spans: tuple[int, ...]
    people: Profile | None
    dimensions: int

    @property
    def network(self) -> nn.Module:
        """The network."""

    @property
    def optimiser(self) -> Optimizer:
        """What changes it."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """All that learns, by name: with the optimiser and `drawing`, the whole state between two steps."""

    def drawing(self) -> dict[str, Any]:
        """Where the drawing of batches stands, for JSON; the random generator itself is left out."""

    def draw_on(self, drawing: Mapping[str, Any]) -> None:
        """Go on drawing from there. Raises KeyError, TypeError, ValueError or IndexError for anything else."""

    def step(self, done: float) -> Step:
        """Draw a batch and learn from it; `done` is the share of the training that lies behind, 0 to 1."""

    def validate(self) -> float:
        """The score on networks held out; higher is better."""

    def graphs(self) -> Mapping[str, bytes]:
        """The network as ONNX graphs, by member name."""

    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(torch's, the exported model's) vectors of the same windows."""

    def watch(self, watched: ProbeSet) -> Callable[[], Float32Array]:
        """What gives, whenever it is called, these windows' vectors (N, D) minus their nodes' normal means, as the network
        then stands. Nothing random is drawn and nothing learnt."""
