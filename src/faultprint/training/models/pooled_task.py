"""Training of the default network: what one step and one validation are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from faultprint.arrays import Float32Array
from faultprint.embedding.model import SHORTEST_OF_NORMAL, Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.embedding.pooling import pool
from faultprint.training.animation.probe_set import ProbeSet
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import NORMAL_CODE, STRETCH, UNSCORED, TrainingSet
from faultprint.training.data.heldout import HeldOutView, Piece
from faultprint.training.data.samplers import ChunkBatch, ChunkSampler
from faultprint.training.device import tensor
from faultprint.training.losses.batch_all import BatchAll, batch_all
from faultprint.training.losses.contrastive import contrastive
from faultprint.training.losses.prototypes import Prototypes
from faultprint.training.models.ema import ema
from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.models.pretrained import pretrained_network
from faultprint.training.models.task import Step
from faultprint.training.networks.concat import ConcatEncoder
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.score import macro_f1, nearest, references
from faultprint.windows.levels import SPANS
from faultprint.windows.normalise import CHANNELS
from faultprint.windows.profile import Profile, population

_LARGEST_GRADIENT: Final = 5.0
_NORMAL_ENDS: Final = range(29, 60, 5)
"""Windows of a normal hour that stand for all of those that `Model.normal` averages."""


class PooledTask:
    """Chunks in; of their windows the contrastive loss over all pairs, the triplet loss over all triplets, and that of
    the learned prototypes.

    Windows are compared as they will be at work: minus the mean vector of an hour of their node's normal traffic. Where `moved` is
    False, they learn without that. The general eye is put beside what was learnt, unless `looks_generally` is False.
    """

    moved = True
    looks_generally = True
    reference_batches = 8
    """Batches from which references are taken to score with."""

    def __init__(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        *,
        settings: Hyperparameters | None = None,
    ) -> None:
        self.settings = settings or Hyperparameters()
        self.encoder: EncoderKind = "pooled"
        self.spans: tuple[int, ...] = SPANS
        self.material = train
        people = population([node.whole for node in train.nodes], train.kinds)
        self.people: Profile | None = people
        self.sampler = self.sampling(train, people, rng)
        self.learning = PooledNetwork(
            CHANNELS * len(train.catalogue),
            SPANS,
            train.window,
            **self.settings.sizes,
        )
        self._general = pretrained_network(train.catalogue, SPANS, train.window) if self.looks_generally else None
        self.dimensions = self.learning.dimensions + (self._general.dimensions if self._general else 0)
        self.averaged = AveragedModel(self.learning, avg_fn=ema)
        self.averaged.eval()
        self.prototypes = Prototypes(
            len(train.conditions), self.learning.dimensions, self.settings.prototype_temperature
        )
        learnt = [
            {"params": self.learning.parameters(), "weight_decay": self.settings.weight_decay},
            {"params": self.prototypes.parameters(), "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(learnt, lr=self.settings.learning_rate)
        self._views = [HeldOutView(node, train.kinds, people, train.window) for node in held_out.nodes]

    def sampling(self, train: TrainingSet, people: Profile, rng: np.random.Generator) -> ChunkSampler:
        """What draws the batches."""
        per_fault, of_normal = self.settings.chunks_per_fault, self.settings.chunks_of_normal
        return ChunkSampler(train, people, rng, per_fault=per_fault, of_normal=of_normal)

    @property
    def network(self) -> PooledNetwork:
        """The network that is scored, and shipped."""
        module = self.averaged.module
        assert isinstance(module, PooledNetwork)
        return module

    @property
    def shipped(self) -> ConcatEncoder:
        """What is shipped: that, and the general eye."""
        device = self.network.head_second.weight.device
        return ConcatEncoder([self.network, *([self._general.to(device)] if self._general else [])])

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The network that learns, its running mean, the prototypes."""
        return {"learning": self.learning, "averaged": self.averaged, "prototypes": self.prototypes}

    def drawing(self) -> dict[str, Any]:
        """The sampler's state."""
        return self.sampler.state()

    def draw_on(self, drawing: Mapping[str, Any]) -> None:
        """Restore it."""
        self.sampler.restore(drawing)

    def step(self, done: float) -> Step:
        """One batch: forward, loss, backward, update, at a rate that falls to 0 by half a cosine."""
        rate = self.settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        vectors, code = self.vectors(self.learning, self.sampler.draw(), moved=self.moved)
        loss, formed, active = self.loss(vectors, code)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learning.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        self.averaged.update_parameters(self.learning)
        return Step(loss.item(), len(code), formed, active, rate, vectors.detach().cpu().numpy())

    def loss(self, vectors: Tensor, code: Tensor) -> BatchAll:
        """What a batch's `vectors` (B, D), bearing `code` (B,), are to make small."""
        triplets = batch_all(vectors, code)
        pairs = contrastive(vectors, code, NORMAL_CODE, self.settings.pair_temperature)
        return triplets._replace(
            loss=pairs + self.prototypes(vectors, code) + self.settings.triplet_weight * triplets.loss
        )

    def vectors(
        self, network: PooledNetwork | ConcatEncoder, batch: ChunkBatch, *, moved: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Vectors (B, D), minus their node's normal mean if `moved`, and codes (B,), of the batch's windows that are used."""
        chunks, length, width = batch.inputs.shape
        slots, window, _ = batch.hours.shape
        minutes = np.concatenate((batch.inputs.reshape(-1, width), batch.hours.reshape(-1, width)))
        codes = network.encode(tensor(minutes))
        mine = codes[: chunks * length].view(chunks, length, *codes.shape[1:])
        normal = codes[chunks * length :].view(slots, window, *codes.shape[1:])
        pooled = (
            network.pool(mine, tensor(batch.observed), batch.ends),
            network.pool(normal, torch.ones(slots, window, dtype=torch.bool), _NORMAL_ENDS),
        )
        raw = network.head(torch.cat([part.flatten(0, 1) for part in pooled]))
        split = chunks * len(batch.ends)
        mean = self._means(raw[split:].view(slots, len(_NORMAL_ENDS), -1), tensor(batch.strangers))
        vectors = raw[:split].view(chunks, len(batch.ends), -1)
        if moved:
            vectors = vectors - mean[tensor(batch.slot)][:, None]
        code = tensor(batch.code)
        used = code != UNSCORED
        return vectors[used], code[used]

    @staticmethod
    def _means(normal: Tensor, strangers: Tensor) -> Tensor:
        """(A, D) what is normal for every slot, of its windows' vectors (A, ·, D); for strangers, what is so for strangers."""
        mean = normal.mean(dim=1)
        return torch.where(strangers[:, None], mean[strangers].mean(dim=0), mean) if strangers.any() else mean

    @torch.no_grad()
    def validate(self) -> float:
        """Macro-F1 of the nearest reference on the networks held out; references are means over some batches."""
        drawn = [self.vectors(self.network, self.sampler.draw()) for _ in range(self.reference_batches)]
        taught, taught_code = (torch.cat(part).cpu().numpy() for part in zip(*drawn, strict=True))
        known = references(taught, taught_code, len(self.material.conditions))
        truth, said = [], []
        for view in self._views:
            mean = self._mean(view)
            for piece in view.pieces:
                truth.append(piece.code)
                said.append(nearest(self._piece_vectors(piece) - mean, known))
        return macro_f1(np.concatenate(truth), np.concatenate(said))

    def graphs(self) -> Mapping[str, bytes]:
        """minute.onnx and head.onnx."""
        return pooled_graphs(*self.shipped.each)

    @torch.no_grad()
    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(torch's, the model's) vectors of some windows of a held-out node; torch pools each window by itself."""
        view = self._views[0]
        series = view.node.series.part(0, STRETCH)
        window, minutes = self.material.window, len(series)
        ends = range(window - 1, minutes, max((minutes - window) // 64, 1))
        whole, observed = self.shipped, tensor(series.observed)[None]
        codes = whole.encode(tensor(view.inputs(0, minutes)))[None]
        expected: Float32Array = whole.head(whole.pool(codes, observed, ends)[0]).cpu().numpy()
        found = model.embed(series, view.own, ends=np.array(ends), shortest=1)
        return expected[np.isin(ends, found.last_minute)], found.vectors

    def watch(self, watched: ProbeSet) -> Callable[[], Float32Array]:
        """Every node under the profile, and minus the mean, of its first hour of normal traffic, as held-out ones are scored."""
        people, kinds, window = self.people, self.material.kinds, self.material.window
        assert people is not None
        own = [node.profile(int(node.hours[0]), int(node.hours[0]) + window, kinds) for node in watched.nodes]

        def inputs(index: int, start: int) -> Float32Array:
            return watched.nodes[index].inputs(start, start + window, kinds, own[index], people)

        starts = watched.end - window + 1
        places = [*zip(watched.node.tolist(), starts.tolist(), strict=True)]
        observed = [watched.nodes[index].series.observed[start : start + window] for index, start in places]
        code = watched.code[:, None]
        batch = ChunkBatch(
            np.stack([inputs(index, start) for index, start in places]),
            np.stack(observed),
            range(window - 1, window),
            code,
            np.zeros_like(code),
            watched.node,
            np.stack([inputs(index, int(node.hours[0])) for index, node in enumerate(watched.nodes)]),
            np.zeros(len(watched.nodes), np.bool_),
        )

        @torch.no_grad()
        def look() -> Float32Array:
            vectors: Float32Array = self.vectors(self.shipped, batch)[0].cpu().numpy()
            return vectors

        return look

    def _encoded(self, inputs: Float32Array) -> Float32Array:
        codes: Float32Array = self.network.encode(tensor(inputs)).cpu().numpy()
        return codes

    def _mean(self, view: HeldOutView) -> Float32Array:
        """(D,) the mean vector of the normal hour."""
        window, hour = self.material.window, slice(view.hour, view.hour + self.material.window)
        pooled = pool(self._encoded(view.normal), view.node.series.observed[hour], SPANS, window)
        vectors: Float32Array = self.network.head(tensor(pooled[SHORTEST_OF_NORMAL - 1 :])).cpu().numpy()
        mean: Float32Array = vectors.mean(axis=0)
        return mean

    def _piece_vectors(self, piece: Piece) -> Float32Array:
        """(E, D) vectors of the piece's windows."""
        pooled = pool(self._encoded(piece.inputs), piece.observed, SPANS, self.material.window)[piece.ends]
        vectors: Float32Array = self.network.head(tensor(pooled)).cpu().numpy()
        return vectors
