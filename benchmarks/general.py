"""Make the general eye (`faultprint.training.general`): it learns to tell faults apart that nobody has named.

    python -m benchmarks.general [--networks 300] [--faults 120] [--seed 9] [--seconds 300] [--out FILE]

Its networks are of the simulator's seed 71,000 + SEED, of which neither side of the evaluation's split has any. SECONDS of one core
are for the steps; the simulation takes some two minutes before.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.learning_material import labelled
from faultprint.evaluate.recorded import Tables
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.device import seeded
from faultprint.training.general import SHIPPED, SIZES, save
from faultprint.training.loop import Plan, fit
from faultprint.training.material import Material, material
from faultprint.training.pooled_task import PooledTask
from faultprint.training.samplers import ChunkSampler
from faultprint.training.settings import Settings

_BASE: Final = 71_000
_EPISODES: Final = 7.0
"""A network and day."""
_HELD_OUT: Final = 10
"""Networks that are not learnt from: the best epoch is taken by them."""
_SLOTS, _AT_ONCE, _CHUNKS = 24, 36, 2


class Generally(PooledTask):
    """The default training with many faults, a few of which are in a batch."""

    looks_generally = False

    def __init__(self, train: Material, held_out: Material, rng: np.random.Generator) -> None:
        super().__init__(train, held_out, rng, settings=Settings(**SIZES))
        assert self.people is not None
        self.sampler = ChunkSampler(train, self.people, rng, per_fault=_CHUNKS, active=_SLOTS, at_once=_AT_ONCE)


def learnt(tables: Tables, seed: int, seconds: float) -> PooledTask:
    """The task, trained."""
    everything = material(*tables, SIP_CATALOGUE)
    rng = np.random.default_rng(seed)
    held = frozenset(str(name) for name in rng.permutation(everything.networks)[:_HELD_OUT])
    with seeded(seed, torch.device("cpu")):
        task = Generally(everything.of(frozenset(everything.networks) - held), everything.of(held), rng)
        plan = Plan(epochs=1, steps=40, patience=1).bounded(seconds, None)
        began = time.thread_time()
        with tqdm(total=round(seconds), unit="s", desc="learning") as bar:
            course = fit(task, plan, lambda *_: bar.update(round(time.thread_time() - began) - bar.n), time.thread_time)
    print(f"{len(course.epochs)} epochs, macro-F1 {course.epochs[course.best_epoch].score:.2f} on networks held out")
    return task


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.general", description=__doc__)
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--faults", type=int, default=120)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    numbers = tqdm(range(arguments.networks), desc="simulating", unit="network")
    tables = labelled(numbers, _BASE + arguments.seed, episodes_per_day=_EPISODES, strange=arguments.faults)
    task = learnt(tables, arguments.seed, arguments.seconds)
    save(task.network, SIP_CATALOGUE, arguments.out)


if __name__ == "__main__":
    main()
