"""Training of the posts' network the posts' way: three towers, random triplets, the triplet loss on the mini-batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.training.animation.probe_set import ProbeSet
from faultprint.training.data.dataset import NORMAL_CODE, TrainingSet
from faultprint.training.data.samplers import Draws, Triplets
from faultprint.training.data.window_index import LEAST_EXPOSED, WindowIndex
from faultprint.training.device import tensor
from faultprint.training.losses.triplet import lossless, triplet, violating
from faultprint.training.models.onnx_graph import reference_graphs
from faultprint.training.models.task import Step
from faultprint.training.networks.reference_lstm import DIMENSIONS, DIMENSIONS_3D, HIDDEN, ReferenceLstm
from faultprint.training.score import macro_f1, nearest, references
from faultprint.windows.normalise import raw
from faultprint.windows.profile import Profile

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

BATCH: Final = 32
LEARNING_RATE: Final = 1e-3
SCORED: Final = 24
"""Windows a condition that a validation embeds: the network is slow."""
_NORMAL_WINDOWS: Final = 4
"""Windows that stand for a watched node's normal traffic, for the same reason."""


class ReferenceTask:
    """`three_dimensions`: three sigmoid outputs under the lossless triplet loss; `hidden`: the layers' width."""

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
        self.people: Profile | None = None
        self.material, self.held_out, self.rng = train, held_out, rng
        triplets = self.triplets_of(train)
        self.triplets: Draws = triplets
        self.dimensions = DIMENSIONS_3D if three_dimensions else DIMENSIONS
        self.network = ReferenceLstm(triplets.width, self.dimensions, hidden=hidden, sigmoid=three_dimensions)
        self.loss: Loss = lossless if three_dimensions else triplet
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def triplets_of(self, material: TrainingSet) -> Triplets:
        """What draws this task's windows."""
        return Triplets(material, self.rng)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The network alone."""
        return {"network": self.network}

    def drawing(self) -> dict[str, Any]:
        """Nothing: every triplet is drawn afresh."""
        return {}

    def draw_on(self, drawing: Mapping[str, Any]) -> None:
        """Nothing to restore."""

    def step(self, done: float) -> Step:
        """One mini-batch: every window of every triplet goes through the network, tower by tower."""
        towers = [tensor(windows) for windows in self.triplets.draw(BATCH)]
        anchor, positive, negative = (self.network(windows) for windows in towers)
        loss = self.loss(anchor, positive, negative)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            active = violating(anchor, positive, negative)
        kept = torch.cat((anchor, positive, negative)).detach().cpu().numpy()
        return Step(loss.item(), 3 * BATCH, BATCH, active, LEARNING_RATE, kept)

    def validate(self) -> float:
        """Macro-F1 of the nearest reference on a sample of windows, after the posts' vector arithmetic."""
        self.network.eval()
        known, truth = self._sample(self.material)
        vectors, code = self._sample(self.held_out)
        self.network.train()
        return macro_f1(code, nearest(vectors, references(known, truth, len(self.material.conditions))))

    def graphs(self) -> Mapping[str, bytes]:
        """window.onnx."""
        return reference_graphs(self.network)

    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(torch's, the model's) vectors of some windows of a held-out node."""
        node = self.held_out.nodes[0]
        ends = np.linspace(self.material.window - 1, len(node.series) - 1, 16).astype(np.int64)
        ends = ends[node.series.observed[ends]]
        values, window = node.series.values, self.material.window
        expected = self._embed([raw(values[end - window + 1 : end + 1]) for end in ends])
        return expected, model.embed(node.series, node.whole, ends=ends, shortest=1).vectors

    def watch(self, watched: ProbeSet) -> Callable[[], Float32Array]:
        """Every node's windows minus the mean of a few of its normal windows, evenly spaced."""

        def cut(index: int, end: int) -> Float32Array:
            return raw(watched.nodes[index].series.values[end - watched.window + 1 : end + 1])

        windows = [cut(*place) for place in zip(watched.node.tolist(), watched.end.tolist(), strict=True)]
        normal: list[Float32Array] = []
        for index, node in enumerate(watched.nodes):
            ends = np.flatnonzero(node.code == NORMAL_CODE)
            chosen = ends[np.linspace(0, len(ends) - 1, _NORMAL_WINDOWS).astype(np.int64)]
            normal += [cut(index, int(end)) for end in chosen]

        def look() -> Float32Array:
            self.network.eval()
            means = self._embed(normal).reshape(-1, _NORMAL_WINDOWS, self.dimensions).mean(axis=1)
            vectors: Float32Array = self._embed(windows) - means[watched.node]
            self.network.train()
            return vectors

        return look

    @torch.no_grad()
    def _sample(self, material: TrainingSet) -> tuple[Float32Array, IntArray]:
        """Vectors minus their node's normal mean, and codes, of a few windows a condition."""
        places = WindowIndex(material, LEAST_EXPOSED)
        sampler = self.triplets_of(material)
        drawn = [(code, *places.draw(code, self.rng)) for code in places.codes for _ in range(SCORED)]
        nodes = sorted({node for _, node, _ in drawn})
        normal = {}
        for node in nodes:
            ends = self.rng.choice(np.flatnonzero(material.nodes[node].code == NORMAL_CODE), size=8)
            normal[node] = self._embed([sampler.window_at(node, int(end)) for end in ends]).mean(axis=0)
        vectors = self._embed([sampler.window_at(node, end) for _, node, end in drawn])
        moved = vectors - np.stack([normal[node] for _, node, _ in drawn])
        return moved, np.array([code for code, _, _ in drawn], dtype=np.int64)

    @torch.no_grad()
    def _embed(self, windows: list[Float32Array]) -> Float32Array:
        result: Float32Array = self.network(tensor(np.stack(windows))).cpu().numpy()
        return result
