"""The default preset: one training step and one validation of the pooled network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from faultprint.arrays import Float32Array
from faultprint.embedding.model import MIN_BASELINE_WINDOW_MINUTES, Model
from faultprint.embedding.model_file import EncoderKind
from faultprint.embedding.pooling import pool
from faultprint.training.animation import ProbeSet
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import BLOCK_MINUTES, NORMAL_CODE, UNSCORED, TrainingSet
from faultprint.training.data.heldout import HeldOutBlock, HeldOutView
from faultprint.training.data.samplers import ChunkBatch, ChunkSampler
from faultprint.training.device import tensor
from faultprint.training.losses.batch_all import BatchAll, batch_all
from faultprint.training.losses.contrastive import contrastive
from faultprint.training.losses.prototypes import Prototypes
from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.models.pretrained import pretrained_network
from faultprint.training.models.task import Step
from faultprint.training.networks.concat import ConcatEncoder
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.score import centroids, macro_f1, nearest_centroid
from faultprint.windows.levels import SPANS
from faultprint.windows.normalisation import CHANNELS
from faultprint.windows.profile import Profile, population_profile

_LARGEST_GRADIENT: Final = 5.0
_NORMAL_ENDS: Final = range(29, 60, 5)
"""Last minutes of the windows in a normal hour that are averaged. `Model.baseline` averages all of them."""
_EMA_DECAY: Final = 0.99
"""Weight of the previous mean in one step of the exponential moving average."""
_EMA_WARM_UP: Final = 4.0


def ema(mean: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """One step of an exponential moving average. Its memory grows with the number of steps, so early weights fade fast."""
    weight = max(1 - _EMA_DECAY, _EMA_WARM_UP / (_EMA_WARM_UP + float(steps)))
    return mean + weight * (current - mean)


class PooledTask:
    """Trains the pooled network on chunks. The loss is a sum of contrastive, prototype and triplet loss over their windows.

    Windows are compared as in operation: relative to the mean vector of a normal hour of their node. The scored and exported
    weights are an exponential moving average (EMA) of the trained weights.
    """

    centered = True
    """If false, training uses vectors as they are, not relative to the normal mean."""
    use_pretrained = True
    """If true, the pretrained encoder is concatenated for export."""
    reference_batches = 8
    """Number of batches from which the validation computes its centroids."""

    def __init__(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        *,
        hyperparameters: Hyperparameters | None = None,
    ) -> None:
        self.hyperparameters = hyperparameters or Hyperparameters()
        self.encoder: EncoderKind = "pooled"
        self.spans: tuple[int, ...] = SPANS
        self.training_set = train
        profile = population_profile([node.full_profile for node in train.nodes], train.kinds)
        self.population: Profile | None = profile
        self.sampler = self.make_sampler(train, profile, rng)
        self.online_network = PooledNetwork(
            CHANNELS * len(train.catalogue),
            SPANS,
            train.window,
            **self.hyperparameters.sizes,
        )
        self._pretrained = pretrained_network(train.catalogue, SPANS, train.window) if self.use_pretrained else None
        self.dimensions = self.online_network.dimensions + (self._pretrained.dimensions if self._pretrained else 0)
        self.ema_model = AveragedModel(self.online_network, avg_fn=ema)
        self.ema_model.eval()
        self.prototypes = Prototypes(
            len(train.conditions), self.online_network.dimensions, self.hyperparameters.prototype_temperature
        )
        parameter_groups = [
            {"params": self.online_network.parameters(), "weight_decay": self.hyperparameters.weight_decay},
            {"params": self.prototypes.parameters(), "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(parameter_groups, lr=self.hyperparameters.learning_rate)
        self._views = [HeldOutView(node, train.kinds, profile, train.window) for node in held_out.nodes]

    def make_sampler(self, train: TrainingSet, population: Profile, rng: np.random.Generator) -> ChunkSampler:
        """The sampler of the batches."""
        return ChunkSampler(
            train,
            population,
            rng,
            chunks_per_fault=self.hyperparameters.chunks_per_fault,
            chunks_of_normal=self.hyperparameters.chunks_of_normal,
        )

    @property
    def network(self) -> PooledNetwork:
        """The network with the averaged weights, which is scored and exported."""
        module = self.ema_model.module
        assert isinstance(module, PooledNetwork)
        return module

    @property
    def exported_network(self) -> ConcatEncoder:
        """The exported network: `network`, with the pretrained encoder concatenated."""
        device = self.network.head_second.weight.device
        return ConcatEncoder([self.network, *([self._pretrained.to(device)] if self._pretrained else [])])

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The trained network, the EMA of its weights, and the prototypes. The names are stored in checkpoints."""
        return {"learning": self.online_network, "averaged": self.ema_model, "prototypes": self.prototypes}

    def sampler_state(self) -> dict[str, Any]:
        """The state of the sampler."""
        return self.sampler.state()

    def restore_sampler(self, state: Mapping[str, Any]) -> None:
        """Restore the state of the sampler."""
        self.sampler.restore(state)

    def step(self, done: float) -> Step:
        """One update. The learning rate falls to 0 along half a cosine."""
        rate = self.hyperparameters.learning_rate * (1 + math.cos(math.pi * done)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        vectors, code = self.vectors(self.online_network, self.sampler.draw(), centered=self.centered)
        loss, formed, active = self.loss(vectors, code)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.online_network.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        self.ema_model.update_parameters(self.online_network)
        return Step(loss.item(), len(code), formed, active, rate, vectors.detach().cpu().numpy())

    def loss(self, vectors: Tensor, code: Tensor) -> BatchAll:
        """The loss of `vectors` (B, D) with condition codes `code` (B,)."""
        triplets = batch_all(vectors, code)
        pairs = contrastive(vectors, code, NORMAL_CODE, self.hyperparameters.pair_temperature)
        return triplets._replace(
            loss=pairs + self.prototypes(vectors, code) + self.hyperparameters.triplet_weight * triplets.loss
        )

    def vectors(
        self, network: PooledNetwork | ConcatEncoder, batch: ChunkBatch, *, centered: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Vectors (B, D) and codes (B,) of the used windows of a batch. `centered`: relative to the normal mean of their node."""
        chunks, length, width = batch.inputs.shape
        slots, window, _ = batch.normal_inputs.shape
        minutes = np.concatenate((batch.inputs.reshape(-1, width), batch.normal_inputs.reshape(-1, width)))
        codes = network.encode(tensor(minutes))
        chunk_codes = codes[: chunks * length].view(chunks, length, *codes.shape[1:])
        normal_codes = codes[chunks * length :].view(slots, window, *codes.shape[1:])
        pooled = (
            network.pool(chunk_codes, tensor(batch.observed), batch.ends),
            network.pool(normal_codes, torch.ones(slots, window, dtype=torch.bool), _NORMAL_ENDS),
        )
        raw = network.head(torch.cat([part.flatten(0, 1) for part in pooled]))
        split = chunks * len(batch.ends)
        mean = self._means(raw[split:].view(slots, len(_NORMAL_ENDS), -1), tensor(batch.cold_start))
        vectors = raw[:split].view(chunks, len(batch.ends), -1)
        if centered:
            vectors = vectors - mean[tensor(batch.slot)][:, None]
        code = tensor(batch.code)
        used = code != UNSCORED
        return vectors[used], code[used]

    @staticmethod
    def _means(normal: Tensor, cold_start: Tensor) -> Tensor:
        """(A, D) normal mean of every slot, from the vectors (A, ·, D) of its normal windows.

        Slots with `cold_start` (A,) share one mean, as nodes without a baseline do in operation.
        """
        mean = normal.mean(dim=1)
        return torch.where(cold_start[:, None], mean[cold_start].mean(dim=0), mean) if cold_start.any() else mean

    @torch.no_grad()
    def validate(self) -> float:
        """Macro-F1 of the nearest centroid on the held-out networks. The centroids are means over some training batches."""
        batches = [self.vectors(self.network, self.sampler.draw()) for _ in range(self.reference_batches)]
        vectors, codes = (torch.cat(part).cpu().numpy() for part in zip(*batches, strict=True))
        known = centroids(vectors, codes, len(self.training_set.conditions))
        truth, predicted = [], []
        for view in self._views:
            mean = self._normal_mean(view)
            for block in view.blocks:
                truth.append(block.code)
                predicted.append(nearest_centroid(self._block_vectors(block) - mean, known))
        return macro_f1(np.concatenate(truth), np.concatenate(predicted))

    def graphs(self) -> Mapping[str, bytes]:
        """The graphs minute.onnx and head.onnx."""
        return pooled_graphs(*self.exported_network.parts)

    @torch.no_grad()
    def compare(self, model: Model) -> tuple[Float32Array, Float32Array]:
        """(vectors from torch, vectors from the exported model) of some windows of a held-out node."""
        view = self._views[0]
        series = view.node.series.slice(0, BLOCK_MINUTES)
        window, minutes = self.training_set.window, len(series)
        ends = range(window - 1, minutes, max((minutes - window) // 64, 1))
        network, observed = self.exported_network, tensor(series.observed)[None]
        codes = network.encode(tensor(view.inputs(0, minutes)))[None]
        expected: Float32Array = network.head(network.pool(codes, observed, ends)[0]).cpu().numpy()
        embedded = model.embed(series, view.profile, ends=np.array(ends), min_minutes=1)
        return expected[np.isin(ends, embedded.last_minute)], embedded.vectors

    def probe_embedder(self, probes: ProbeSet) -> Callable[[], Float32Array]:
        """See `TrainingTask`. Every node has the profile and the mean of its first normal hour, as in the validation."""
        population, kinds, window = self.population, self.training_set.kinds, self.training_set.window
        assert population is not None
        hours = [int(node.normal_hours[0]) for node in probes.nodes]
        profiles = [node.profile(hour, hour + window, kinds) for node, hour in zip(probes.nodes, hours, strict=True)]

        def inputs(index: int, start: int) -> Float32Array:
            return probes.nodes[index].inputs(start, start + window, kinds, profiles[index], population)

        starts = probes.end - window + 1
        windows = [*zip(probes.node.tolist(), starts.tolist(), strict=True)]
        observed = [probes.nodes[index].series.observed[start : start + window] for index, start in windows]
        code = probes.code[:, None]
        batch = ChunkBatch(
            np.stack([inputs(index, start) for index, start in windows]),
            np.stack(observed),
            range(window - 1, window),
            code,
            np.zeros_like(code),
            probes.node,
            np.stack([inputs(index, hour) for index, hour in enumerate(hours)]),
            np.zeros(len(probes.nodes), np.bool_),
        )

        @torch.no_grad()
        def embed() -> Float32Array:
            vectors: Float32Array = self.vectors(self.exported_network, batch)[0].cpu().numpy()
            return vectors

        return embed

    def _encode(self, inputs: Float32Array) -> Float32Array:
        codes: Float32Array = self.network.encode(tensor(inputs)).cpu().numpy()
        return codes

    def _normal_mean(self, view: HeldOutView) -> Float32Array:
        """(D,) mean vector of the normal hour of a held-out node."""
        window, hour = self.training_set.window, slice(view.hour, view.hour + self.training_set.window)
        pooled = pool(self._encode(view.normal_inputs), view.node.series.observed[hour], SPANS, window)
        vectors: Float32Array = self.network.head(tensor(pooled[MIN_BASELINE_WINDOW_MINUTES - 1 :])).cpu().numpy()
        mean: Float32Array = vectors.mean(axis=0)
        return mean

    def _block_vectors(self, block: HeldOutBlock) -> Float32Array:
        """(E, D) vectors of the windows of a block."""
        pooled = pool(self._encode(block.inputs), block.observed, SPANS, self.training_set.window)[block.ends]
        vectors: Float32Array = self.network.head(tensor(pooled)).cpu().numpy()
        return vectors
