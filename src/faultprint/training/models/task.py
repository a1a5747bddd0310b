"""The protocol between the training loop and a preset: one step, one validation, and what the model file needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from torch import nn
from torch.optim import Optimizer

from faultprint.arrays import Float32Array
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.training.animation import ProbeSet
from faultprint.windows.profile import Profile


class Step(NamedTuple):
    """The result of one update of the weights.

    loss       loss of the batch
    windows    number of embedded windows
    triplets   number of triplets in the batch
    active     number of triplets that violate the margin
    rate       learning rate
    vectors    (B, D) vectors of the batch
    """

    loss: float
    windows: int
    triplets: int
    active: int
    rate: float
    vectors: Float32Array


class TrainingTask(Protocol):
    """A network in training. `encoder`, `spans`, `population` and `dimensions`: see `embedding.model_file.Manifest`."""

    encoder: EncoderKind
    spans: tuple[int, ...]
    population: Profile | None
    dimensions: int

    @property
    def network(self) -> nn.Module:
        """The network that is scored and exported."""

    @property
    def optimiser(self) -> Optimizer:
        """The optimiser."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """All modules with weights, by name. With the optimiser and `sampler_state` this is the state between two steps."""

    def sampler_state(self) -> dict[str, Any]:
        """The state of the sampler for a checkpoint, as JSON, without the random generator."""

    def restore_sampler(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state. Raises KeyError, TypeError, ValueError or IndexError for anything else."""

    def step(self, done: float) -> Step:
        """Draw a batch and update the weights. `done` is the completed share of the training, 0 to 1."""

    def validate(self) -> float:
        """The score on the held-out networks; higher is better."""

    def graphs(self) -> Mapping[str, bytes]:
        """The network as serialised ONNX graphs, by member name in the model file."""

    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(vectors from torch, vectors from the exported model) of the same windows."""

    def probe_embedder(self, probes: ProbeSet) -> Callable[[], Float32Array]:
        """A function that embeds the probe windows with the current weights.

        It returns (N, D) vectors relative to the normal mean of their node. It draws nothing random and changes no weights.
        """
