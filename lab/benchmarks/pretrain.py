"""Make the general eye (`faultprint.training.models.pretrained`): it learns to tell faults apart that nobody has named.

    python -m benchmarks.pretrain [--networks 400] [--faults 480] [--seed 9] [--seconds 1500] [--out FILE]

Its networks are of the simulator's seed 71,000 + SEED, of which neither side of the evaluation's split has any. SECONDS of one core
are for the steps; the simulation takes some three minutes before.
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
"""A network and day."""
_HELD_OUT: Final = 10
"""Networks that are not learnt from: the best epoch is taken by them."""
_SLOTS, _AT_ONCE, _CHUNKS = 64, 36, 2
"""Nodes in use, faults in a batch, chunks of each."""


class ManyKinds(ChunkSampler):
    """A few of many faults a batch, each on nodes that differ: two windows of one episode are told to be alike too easily."""

    def conditions(self) -> Sequence[int]:
        """Normal, and some of the faults that nodes enough in use bear."""
        held = {slot.node for slot in self.slots}
        borne = {code: len(held & self.places.by_node[code].keys()) for code in self.codes if code != NORMAL_CODE}
        often = [code for code, nodes in borne.items() if nodes >= self.per_fault]
        return [NORMAL_CODE, *(int(code) for code in self.rng.permutation(often)[:_AT_ONCE])]

    def targets(self, code: int, wanted: int, places: Mapping[int, int]) -> list[tuple[int, int]]:
        """Of a fault a window each of so many nodes."""
        if code == NORMAL_CODE:
            return super().targets(code, wanted, places)
        here = [rows for node, rows in self.places.by_node[code].items() if node in places]
        chosen = (here[index] for index in self.rng.permutation(len(here))[:wanted])
        return [(int(node), int(end)) for node, end in (rows[self.rng.integers(len(rows))] for rows in chosen)]


class Generally(PooledTask):
    """The default training on such batches."""

    looks_generally = False
    reference_batches = 40

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        super().__init__(train, held_out, rng, settings=Hyperparameters(**SIZES))

    def sampling(self, train: TrainingSet, people: Profile, rng: np.random.Generator) -> ChunkSampler:
        return ManyKinds(train, people, rng, per_fault=_CHUNKS, active=_SLOTS, refresh_every=1)


def learnt(tables: Tables, seed: int, seconds: float) -> PooledTask:
    """The task, trained."""
    everything = training_set(*tables, SIP_CATALOGUE)
    rng = np.random.default_rng(seed)
    held = frozenset(str(name) for name in rng.permutation(everything.networks)[:_HELD_OUT])
    with seeded(seed, torch.device("cpu")):
        task = Generally(everything.of(frozenset(everything.networks) - held), everything.of(held), rng)
        plan = TrainingPlan(epochs=1, steps=40, patience=1).bounded(seconds, None)
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
    tables = labelled(numbers, _BASE + arguments.seed, episodes_per_day=_EPISODES, strange=arguments.faults)
    task = learnt(tables, arguments.seed, arguments.seconds)
    save(task.network, SIP_CATALOGUE, arguments.out)


if __name__ == "__main__":
    main()
