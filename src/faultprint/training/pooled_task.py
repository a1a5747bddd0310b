"""Training of the default network: what one step and one validation are."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from faultprint.embedding.model import SHORTEST_OF_NORMAL, Model
from faultprint.embedding.pooling import pool
from faultprint.training.losses.batch_all import batch_all
from faultprint.training.losses.prototypes import Prototypes
from faultprint.training.material import NORMAL_CODE, UNSCORED, Material, Node
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.samplers import LEAST_EXPOSED, Chunks, ChunkSampler
from faultprint.training.score import macro_f1, nearest, references
from faultprint.training.task import Step
from faultprint.windows.levels import SPANS
from faultprint.windows.normalise import CHANNELS, normalise
from faultprint.windows.profile import Profile, population, profile

Array = npt.NDArray[np.float32]

_NORMAL_ENDS: Final = (29, 34, 39, 44, 49, 54, 59)
_REMEMBERED: Final = 20


@dataclass(frozen=True, slots=True)
class _View:
    """A held-out node as it would be seen at work: under the profile of its first hour of normal traffic."""

    node: Node
    own: Profile
    inputs: Array
    hour: int
    ends: npt.NDArray[np.int64]


class PooledTask:
    """Chunks in, all triplets and the prototypes' loss out."""

    def __init__(self, train: Material, held_out: Material, rng: np.random.Generator, opts: dict | None = None) -> None:
        self.o = opts or {}
        self.material, self.held_out = train, held_out
        self.people = population([node.whole for node in train.nodes], train.kinds)
        self.sampler = ChunkSampler(train, self.people, rng, **self.o.get("sampler", {}))
        inputs = CHANNELS * len(train.catalogue)
        self.network = PooledNetwork(inputs, SPANS, train.window, **self.o.get("net", {}))
        self.prototypes = Prototypes(len(train.conditions), self.network.dimensions, self.o.get("sharp", 1.0))
        self.optimiser = torch.optim.AdamW(
            [*self.network.parameters(), *self.prototypes.parameters()], lr=self.o.get("lr", 2e-3), weight_decay=self.o.get("wd", 1e-2)
        )
        self.recent: deque[tuple[Array, npt.NDArray[np.int64]]] = deque(maxlen=_REMEMBERED)
        self._views = [self._view(node) for node in held_out.nodes]

    def step(self) -> Step:
        """One batch: forward, loss, backward, update."""
        batch = self.sampler.draw()
        vectors, code = self.vectors(batch)
        triplets = batch_all(vectors, code, self.o.get("margin", 0.2))
        loss = self.o.get("wt", 0.0) * triplets.loss + self.o.get("wp", 1.0) * self.ploss(vectors, code)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        kept = vectors.detach().numpy()
        self.recent.append((kept, code.numpy()))
        return Step(loss.item(), len(code), triplets.formed, triplets.active, kept)

    def ploss(self, vectors, code):
        from faultprint.training.losses.distances import squared_pairs
        o = self.o
        if o.get("supcon"):
            t = o["supcon"]
            sim = -squared_pairs(vectors, torch.cat([vectors, torch.zeros_like(vectors[:1])])) / t if not o.get("cos") else torch.nn.functional.normalize(vectors, dim=1) @ torch.nn.functional.normalize(vectors, dim=1).T / t
            lab = torch.cat([code, code.new_zeros(1)]) if not o.get("cos") else code
            eye = torch.eye(len(code), sim.shape[1], dtype=torch.bool)
            sim = sim.masked_fill(eye, -1e9)
            pos = (code[:, None] == lab[None]) & ~eye
            lp = sim - sim.logsumexp(1, keepdim=True)
            return -((lp * pos).sum(1) / pos.sum(1).clamp(min=1)).mean()
        if o.get("cosproto"):
            w = torch.nn.functional.normalize(torch.cat([self.prototypes.faults, self.prototypes.faults.mean(0, keepdim=True)]), dim=1)
            v = torch.nn.functional.normalize(vectors, dim=1)
            return torch.nn.functional.cross_entropy(v @ w.T * o["cosproto"], (code - 1) % len(w))
        d2 = squared_pairs(vectors, self.prototypes.all)
        logits = -o.get("sharp", 1.0) * (d2 if not o.get("student") else torch.log1p(d2) * o["student"])
        if o.get("marginp"):
            logits = logits - o["marginp"] * torch.nn.functional.one_hot(code, logits.shape[1])
        loss = torch.nn.functional.cross_entropy(logits, code, label_smoothing=o.get("ls", 0.0))
        if o.get("centre"):
            loss = loss + o["centre"] * d2.gather(1, code[:, None]).mean()
        return loss

    def vectors(self, batch: Chunks) -> tuple[Tensor, Tensor]:
        """Vectors minus their node's normal mean (B, D), and codes (B,), of the windows that are used."""
        chunks, length, width = batch.inputs.shape
        slots, window, _ = batch.hours.shape
        minutes = np.concatenate((batch.inputs.reshape(-1, width), batch.hours.reshape(-1, width)))
        x = torch.from_numpy(minutes)
        p = self.o.get("fdrop", 0.0)
        if p:
            F = len(self.material.catalogue)
            keep = (torch.rand(chunks + slots, F) > p).float() if self.o.get("perchunk", 1) else (torch.rand(1, F) > p).float().expand(chunks + slots, F)
            keep = torch.cat([keep[:chunks].repeat_interleave(length, 0), keep[chunks:].repeat_interleave(window, 0)])
            x = (x.view(len(x), -1, F) * keep[:, None]).view(len(x), -1)
        codes = self.network.encode(x)
        if self.o.get("cdrop"):
            codes = torch.nn.functional.dropout(codes, self.o["cdrop"])
        split = chunks * length
        mine = codes[:split].view(chunks, length, *codes.shape[1:])
        normal = codes[split:].view(slots, window, *codes.shape[1:])
        observed = torch.from_numpy(batch.observed) if not batch.observed.all() else torch.empty(0)
        pooled = [self.network.pool(mine, observed, end) for end in batch.ends]
        pooled += [self.network.pool(normal, torch.empty(0), end) for end in _NORMAL_ENDS]
        P = torch.cat(pooled)
        if self.o.get("pdrop"):
            P = torch.nn.functional.dropout(P, self.o["pdrop"])
        raw = self.network.head(P)
        of_windows = raw[: chunks * len(batch.ends)].view(len(batch.ends), chunks, -1)
        mean = raw[chunks * len(batch.ends) :].view(len(_NORMAL_ENDS), slots, -1).mean(0)
        moved = (of_windows - mean[torch.from_numpy(batch.slot)][None]).transpose(0, 1)
        code = torch.from_numpy(batch.code)
        used = code != UNSCORED
        return moved[used], code[used]

    @torch.no_grad()
    def compare(self, model: Model) -> tuple[Array, Array]:
        """(torch's, the model's) vectors of some windows of a held-out node; torch pools each window by itself."""
        view = self._views[0]
        ends = view.ends[:: max(len(view.ends) // 64, 1)]
        codes = self.network.encode(torch.from_numpy(view.inputs))[None]
        observed = torch.from_numpy(view.node.series.observed)[None]
        rows = [self.network.pool(codes, observed, int(end)) for end in ends]
        expected: Array = self.network.head(torch.cat(rows)).numpy()
        return expected, model.embed(view.node.series, view.own, ends=ends, shortest=1).vectors

    def validate(self) -> float:
        """Macro-F1 of the nearest reference on the networks held out; references are the recent batches' means."""
        self.network.eval()
        found = [self._view_vectors(view) for view in self._views]
        self.network.train()
        vectors, code = np.concatenate([v for v, _ in found]), np.concatenate([c for _, c in found])
        recent, recent_code = (np.concatenate(part) for part in zip(*self.recent, strict=True))
        return macro_f1(code, nearest(vectors, references(recent, recent_code, len(self.material.conditions))))

    def _view(self, node: Node) -> _View:
        hour = int(node.hours[0])
        chosen = np.zeros(len(node.series), dtype=np.bool_)
        chosen[hour : hour + self.material.window] = True
        own = profile(node.levels, self.material.kinds, chosen)
        exposed = (node.code > NORMAL_CODE) & (node.exposed >= LEAST_EXPOSED)
        ends = np.flatnonzero((node.code == NORMAL_CODE) | exposed)
        return _View(node, own, normalise(node.levels, self.material.kinds, own, self.people), hour, ends)

    @torch.no_grad()
    def _view_vectors(self, view: _View) -> tuple[Array, npt.NDArray[np.int64]]:
        """Vectors minus the normal mean, and codes, of a held-out node's windows."""
        window, observed = self.material.window, view.node.series.observed
        codes = self.network.encode(torch.from_numpy(view.inputs)).numpy()
        pooled = pool(codes, observed, SPANS, window)[view.ends]
        of_hour = slice(view.hour, view.hour + window)
        normal = pool(codes[of_hour], observed[of_hour], SPANS, window)[SHORTEST_OF_NORMAL - 1 :]
        vectors: Array = self.network.head(torch.from_numpy(np.concatenate((pooled, normal)))).numpy()
        moved = vectors[: len(pooled)] - vectors[len(pooled) :].mean(axis=0)
        return moved, view.node.code[view.ends].astype(np.int64)
