"""Data for the training and inference benchmarks: a few simulated networks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import polars as pl

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.coverage import CoverageInterval
from faultprint.features.minutes import compute_minutes
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint_lab.simulate.run import START, network_of, simulate_network

NETWORKS = 4
DAYS = 2.0
SEED = 1


@cache
def simulated() -> TrainingSet:
    """Four networks of two days."""
    return training_set(*labelled(range(NETWORKS), SEED, load=0.25), SIP_CATALOGUE)


def labelled(indices: Iterable[int], seed: int, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(minutes, labels) of these networks, DAYS days each; `options` are those of `simulate_network`."""
    begin = round(START.timestamp() * 1e6)
    frames, truths = [], []
    for index in indices:
        transactions, truth = simulate_network(index, DAYS, seed, **options)
        network = network_of(index, seed)
        interval = CoverageInterval(network.node, network.name, begin, begin + round(DAYS * 86_400e6))
        frames.append(compute_minutes(transactions.lazy(), [interval]))
        truths.append(truth)
    return pl.concat(frames), pl.concat(truths)
