"""The preset `reference-lstm`: the network and the training of the 2017 baseline, for comparison.

Every window of a random triplet passes through the network; the loss is the triplet loss of the mini-batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.training.animation import ProbeSet
from faultprint.training.data.dataset import NORMAL_CODE, TrainingSet
from faultprint.training.data.samplers import TripletSampler, TripletSource
from faultprint.training.data.window_index import MIN_FAULT_MINUTES, WindowIndex
from faultprint.training.device import tensor
from faultprint.training.losses.triplet import count_violations, lossless, triplet
from faultprint.training.models.onnx_graph import reference_graphs
from faultprint.training.models.task import Step
from faultprint.training.networks.reference_lstm import DIMENSIONS, DIMENSIONS_3D, HIDDEN, ReferenceLstm
from faultprint.training.score import centroids, macro_f1, nearest_centroid
from faultprint.windows.normalisation import fill_missing
from faultprint.windows.profile import Profile

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

BATCH: Final = 32
LEARNING_RATE: Final = 1e-3
WINDOWS_PER_CONDITION: Final = 24
"""Windows of each condition that a validation embeds. They are few because the network is slow."""
_NORMAL_WINDOWS: Final = 4
"""Windows that give the normal mean of a node in the animation, few for the same reason."""


class ReferenceTask:
    """Trains the LSTM network of the 2017 baseline.

    three_dimensions   three sigmoid outputs and the lossless triplet loss
    hidden             width of the layers
    """

    def __init__(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        *,
        three_dimensions: bool = False,
        hidden: int = HIDDEN,
    ) -> None:
        self.encoder: EncoderKind = "recurrent"
        self.spans: tuple[int, ...] = ()
        self.population: Profile | None = None
        self.training_set, self.held_out, self.rng = train, held_out, rng
        sampler = self.make_sampler(train)
        self.sampler: TripletSource = sampler
        self.dimensions = DIMENSIONS_3D if three_dimensions else DIMENSIONS
        self.network = ReferenceLstm(sampler.width, self.dimensions, hidden=hidden, sigmoid=three_dimensions)
        self.loss: Loss = lossless if three_dimensions else triplet
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def make_sampler(self, training_set: TrainingSet) -> TripletSampler:
        """The sampler of the triplets."""
        return TripletSampler(training_set, self.rng)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The network alone."""
        return {"network": self.network}

    def sampler_state(self) -> dict[str, Any]:
        """Empty: the sampler has no state apart from the random generator."""
        return {}

    def restore_sampler(self, state: Mapping[str, Any]) -> None:
        """There is nothing to restore."""

    def step(self, done: float) -> Step:
        """One mini-batch. All anchors, then all positives, then all negatives pass through the network."""
        parts = [tensor(windows) for windows in self.sampler.draw(BATCH)]
        anchor, positive, negative = (self.network(windows) for windows in parts)
        loss = self.loss(anchor, positive, negative)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            active = count_violations(anchor, positive, negative)
        vectors = torch.cat((anchor, positive, negative)).detach().cpu().numpy()
        return Step(loss.item(), 3 * BATCH, BATCH, active, LEARNING_RATE, vectors)

    def validate(self) -> float:
        """Macro-F1 of the nearest centroid on a sample of windows, relative to the normal mean of their node."""
        self.network.eval()
        known_vectors, known_code = self._sample(self.training_set)
        vectors, code = self._sample(self.held_out)
        self.network.train()
        known = centroids(known_vectors, known_code, len(self.training_set.conditions))
        return macro_f1(code, nearest_centroid(vectors, known))

    def graphs(self) -> Mapping[str, bytes]:
        """The graph window.onnx."""
        return reference_graphs(self.network)

    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(vectors from torch, vectors from the exported model) of some windows of a held-out node."""
        node = self.held_out.nodes[0]
        ends = np.linspace(self.training_set.window - 1, len(node.series) - 1, 16).astype(np.int64)
        ends = ends[node.series.observed[ends]]
        values, window = node.series.values, self.training_set.window
        expected = self._embed([fill_missing(values[end - window + 1 : end + 1]) for end in ends])
        return expected, model.embed(node.series, node.full_profile, ends=ends, min_minutes=1).vectors

    def probe_embedder(self, probes: ProbeSet) -> Callable[[], Float32Array]:
        """See `TrainingTask`. The normal mean of a node is that of a few of its normal windows, evenly spaced."""

        def window_at(index: int, end: int) -> Float32Array:
            return fill_missing(probes.nodes[index].series.values[end - probes.window + 1 : end + 1])

        windows = [window_at(*pair) for pair in zip(probes.node.tolist(), probes.end.tolist(), strict=True)]
        normal: list[Float32Array] = []
        for index, node in enumerate(probes.nodes):
            ends = np.flatnonzero(node.code == NORMAL_CODE)
            chosen = ends[np.linspace(0, len(ends) - 1, _NORMAL_WINDOWS).astype(np.int64)]
            normal += [window_at(index, int(end)) for end in chosen]

        def embed() -> Float32Array:
            self.network.eval()
            means = self._embed(normal).reshape(-1, _NORMAL_WINDOWS, self.dimensions).mean(axis=1)
            vectors: Float32Array = self._embed(windows) - means[probes.node]
            self.network.train()
            return vectors

        return embed

    @torch.no_grad()
    def _sample(self, training_set: TrainingSet) -> tuple[Float32Array, IntArray]:
        """Vectors relative to the normal mean of their node, and codes, of some random windows of every condition."""
        index = WindowIndex(training_set, MIN_FAULT_MINUTES)
        sampler = self.make_sampler(training_set)
        drawn = [(code, *index.draw(code, self.rng)) for code in index.codes for _ in range(WINDOWS_PER_CONDITION)]
        normal_means = {}
        for node in sorted({node for _, node, _ in drawn}):
            ends = self.rng.choice(np.flatnonzero(training_set.nodes[node].code == NORMAL_CODE), size=8)
            normal_means[node] = self._embed([sampler.window_at(node, int(end)) for end in ends]).mean(axis=0)
        vectors = self._embed([sampler.window_at(node, end) for _, node, end in drawn])
        centered = vectors - np.stack([normal_means[node] for _, node, _ in drawn])
        return centered, np.array([code for code, _, _ in drawn], dtype=np.int64)

    @torch.no_grad()
    def _embed(self, windows: list[Float32Array]) -> Float32Array:
        result: Float32Array = self.network(tensor(np.stack(windows))).cpu().numpy()
        return result
