"""Train the pretrained encoder (`faultprint.training.models.pretrained`) on procedurally generated faults.

    python -m benchmarks.pretrain [--networks 400] [--faults 480] [--seed 9] [--seconds 1500] [--out FILE]

Its networks have the simulator's seed 71,000 + SEED, which no split of the benchmark uses. SECONDS of one core are for the
training; the simulation before takes about three minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.training_data import labelled
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import NORMAL_CODE, TrainingSet, training_set
from faultprint.training.data.samplers import ChunkSampler
from faultprint.training.device import seeded
from faultprint.training.loop import TrainingPlan, fit
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.pretrained import SHIPPED, SIZES, save
from faultprint.windows.profile import Profile
from faultprint_lab.baselines.recorded import Tables

_BASE: Final = 71_000
_EPISODES: Final = 7.0
"""For each network and day."""
_HELD_OUT: Final = 10
"""Networks that are not trained on; they choose the best epoch."""
_SLOTS, _FAULTS_PER_BATCH, _CHUNKS = 64, 36, 2
"""Nodes in use, faults in a batch, chunks of each."""


class ManyFaultsSampler(ChunkSampler):
    """A few windows of many faults in each batch, each window from another node: windows of one episode are too easy to match."""

    def conditions(self) -> Sequence[int]:
        """Normal, and some of the faults that occur on enough of the nodes in use."""
        in_use = {slot.node for slot in self.slots}
        nodes_with = {code: len(in_use & self.index.by_node[code].keys()) for code in self.codes if code != NORMAL_CODE}
        common = [code for code, nodes in nodes_with.items() if nodes >= self.chunks_per_fault]
        return [NORMAL_CODE, *(int(code) for code in self.rng.permutation(common)[:_FAULTS_PER_BATCH])]

    def targets(self, code: int, wanted: int, places: Mapping[int, int]) -> list[tuple[int, int]]:
        """For a fault, one window from each of `wanted` nodes."""
        if code == NORMAL_CODE:
            return super().targets(code, wanted, places)
        here = [rows for node, rows in self.index.by_node[code].items() if node in places]
        chosen = (here[index] for index in self.rng.permutation(len(here))[:wanted])
        return [(int(node), int(end)) for node, end in (rows[self.rng.integers(len(rows))] for rows in chosen)]


class PretrainingTask(PooledTask):
    """The default training with such batches."""

    use_pretrained = False
    reference_batches = 40

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        super().__init__(train, held_out, rng, hyperparameters=Hyperparameters(**SIZES))

    def sampling(self, train: TrainingSet, people: Profile, rng: np.random.Generator) -> ChunkSampler:
        return ManyFaultsSampler(train, people, rng, chunks_per_fault=_CHUNKS, active=_SLOTS, refresh_every=1)


def pretrained(tables: Tables, seed: int, seconds: float) -> PooledTask:
    """The task after its training."""
    all_networks = training_set(*tables, SIP_CATALOGUE)
    rng = np.random.default_rng(seed)
    held_out = frozenset(str(name) for name in rng.permutation(all_networks.networks)[:_HELD_OUT])
    with seeded(seed, torch.device("cpu")):
        task = PretrainingTask(
            all_networks.select(frozenset(all_networks.networks) - held_out), all_networks.select(held_out), rng
        )
        plan = TrainingPlan(epochs=1, steps=40, patience=1).with_limits(seconds, None)
        began = time.thread_time()
        with tqdm(total=round(seconds), unit="s", desc="learning") as bar:
            course = fit(task, plan, lambda *_: bar.update(round(time.thread_time() - began) - bar.n), time.thread_time)
    print(f"{len(course.epochs)} epochs, macro-F1 {course.epochs[course.best_epoch].score:.2f} on networks held out")
    return task


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrain", description=__doc__)
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--faults", type=int, default=480)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1500)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    numbers = tqdm(range(arguments.networks), desc="simulating", unit="network")
    tables = labelled(numbers, _BASE + arguments.seed, episodes_per_day=_EPISODES, random_faults=arguments.faults)
    task = pretrained(tables, arguments.seed, arguments.seconds)
    save(task.network, SIP_CATALOGUE, arguments.out)


if __name__ == "__main__":
    main()
