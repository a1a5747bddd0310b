"""Transactions per second of the simulator, in memory and on one core; there is nothing to compare it with."""

from __future__ import annotations

import statistics
import time
from typing import Any

from faultprint_lab.simulate.run import simulate_network

NETWORKS = range(6)
DAYS = 2.0
SEED = 20
RUNS = 3


def run() -> list[dict[str, Any]]:
    """The median of RUNS runs over some networks, in transactions per second of processor time."""
    simulate_network(0, 0.2, SEED, episodes_per_day=0)
    rates = []
    for _ in range(RUNS):
        began = time.process_time()
        rows = sum(simulate_network(index, DAYS, SEED)[0].height for index in NETWORKS)
        rates.append(rows / (time.process_time() - began))
    value = statistics.median(rates)
    return [
        {
            "name": "simulate.transactions_per_s",
            "value": value,
            "unit": "1/s",
            "against": None,
            "ratio": None,
            "runs": RUNS,
        }
    ]
