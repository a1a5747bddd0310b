"""How soon a node that stops talking is silent, and how often a normal day is called silent (`cases.silence`).

python -m benchmarks.silence [--networks 12] [--load 1.0] [--seed 77]

All requests of an hour are removed from simulated networks of two days, at random times outside faults.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.training_data import labelled
from faultprint.arrays import BoolArray
from faultprint.cases.silence import request_columns, request_counts, silent_minutes
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.labelling import fault_names, label_minutes
from faultprint.windows.series import Series, build_series

PAUSES = 40
LENGTH = 60


def measure(networks: int, load: float, seed: int) -> dict[str, Any]:
    """Delays of removed hours in minutes, and the silent minutes of normal days."""
    minutes, labels = labelled(range(networks), seed, load=load)
    names, rng = fault_names(labels), np.random.default_rng(seed)
    delays, rates, silent, normal_days = [], [], 0, 0.0
    for series in build_series(minutes, SIP_CATALOGUE.names):
        normal = label_minutes(labels, series, names).normal
        silent += int((silent_minutes(series) & normal[series.observed]).sum())
        normal_days += normal.sum() / 1440
        rates.append(request_counts(series.values, request_columns(series.names)).mean())
        delays += [_delay(series, start) for start in rng.choice(_starts(normal), PAUSES)]
    return {
        "requests_a_minute": [round(min(rates)), round(max(rates))],
        "noticed": float(np.isfinite(delays).mean()),
        "noticed_within_3_minutes": float((np.array(delays) <= 3).mean()),
        "median_delay_minutes": float(np.median(delays)),
        "normal_days": round(normal_days, 1),
        "silent_minutes_of_normal_days": silent,
    }


def _starts(normal: BoolArray) -> list[int]:
    """Minutes before and after which an hour is normal."""
    hours = np.convolve(normal, np.ones(2 * LENGTH, np.int64), "valid") == 2 * LENGTH
    return (np.flatnonzero(hours) + LENGTH).tolist()


def _delay(series: Series, start: int) -> float:
    """Minutes from `start`, with no requests from there on, to the first silent minute."""
    values = series.values[: start + LENGTH].copy()
    values[start:, request_columns(series.names)] = 0
    quiet = replace(series, values=values, observed=np.ones(len(values), np.bool_))
    found = np.flatnonzero(silent_minutes(quiet)[start:])
    return float(found[0]) + 1 if len(found) else np.inf


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.silence", description=__doc__)
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=77)
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
