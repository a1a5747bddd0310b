"""What the training and inference benchmarks work on: a few simulated networks, ready to draw from."""

from __future__ import annotations

from functools import cache

import polars as pl

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.coverage import Stretch
from faultprint.features.minutes import minutes
from faultprint.simulate.run import START, network_of, simulate_network
from faultprint.training.material import Material, material

NETWORKS = 4
DAYS = 2.0
SEED = 1


@cache
def simulated() -> Material:
    """Four networks of two days."""
    begin = round(START.timestamp() * 1e6)
    frames, truths = [], []
    for index in range(NETWORKS):
        transactions, truth = simulate_network(index, DAYS, SEED, load=0.25)
        network = network_of(index, SEED, 0.25)
        stretch = Stretch(network.node, network.name, begin, begin + round(DAYS * 86_400e6))
        frames.append(minutes(transactions.lazy(), [stretch]))
        truths.append(truth)
    return material(pl.concat(frames), pl.concat(truths), SIP_CATALOGUE)
