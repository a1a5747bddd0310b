"""The demo's traffic: simulated networks to train on, to set thresholds and to test, as minutes and labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from faultprint import storage
from faultprint.features.minutes import build_minutes_file, read_minutes, write_minutes
from faultprint.tables import LABELS
from faultprint_lab.baselines.recorded import Recorded, Tables, joined
from faultprint_lab.simulate.run import simulate

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday morning: Faultprint is started in working hours, and the first hour is the baseline of each node."""
TRAINING_MINUTES, TRAINING_LABELS = "training-minutes.parquet", "training-labels.parquet"
_FIRST_CALIBRATION_NETWORK: Final = 4000
_FIRST_TEST_NETWORK: Final = 5000
"""Far from the numbers of the training networks."""


@dataclass(frozen=True, slots=True)
class DemoSize:
    """How many networks are simulated for how many days, and for how many seconds of a core each system may train.

    Training networks have more episodes a day than the others, and their episodes differ more: training then sees more
    forms of each fault. Calibration networks set the thresholds; they are like the test networks.
    """

    networks: int = 36
    episodes_per_day: float = 9
    calibration_networks: int = 12
    test_networks: int = 3
    days: float = 2
    seconds: float = 70


@dataclass(frozen=True, slots=True)
class DemoTraffic:
    """(minutes, labels) of the networks for training, for calibration and for test."""

    train: Tables
    calibration: Tables
    test: Tables


def simulate_traffic(
    out: Path, seed: int, size: DemoSize, testbed: Recorded | None, log: Callable[[str], None]
) -> DemoTraffic:
    """Simulate all networks; each part stays in a folder of `out`.

    TRAINING_MINUTES and TRAINING_LABELS in `out` are the input of `faultprint train`: the simulated training networks, and
    those of the test bed if there is a recording.
    """

    def part(name: str, networks: int, first: int, **options: Any) -> Tables:
        log(f"Simulating {networks} networks for {name}, {size.days:g} days each …")
        folder = out / name
        workers = os.cpu_count() or 1
        simulate(
            folder,
            networks=networks,
            days=size.days,
            seed=seed,
            first_network=first,
            start=START,
            workers=workers,
            **options,
        )
        build_minutes_file(folder / "transactions.parquet", folder / "minutes.parquet")
        return read_minutes(folder / "minutes.parquet").frame, storage.read(folder / "labels.parquet", LABELS)

    train = part("training", size.networks, 0, episodes_per_day=size.episodes_per_day, vary_episodes=True)
    calibration = part("calibration", size.calibration_networks, _FIRST_CALIBRATION_NETWORK)
    test = part("test", size.test_networks, _FIRST_TEST_NETWORK)
    minutes, labels = joined(train, testbed.train) if testbed else train
    write_minutes(minutes, out / TRAINING_MINUTES)
    storage.write(labels, LABELS, out / TRAINING_LABELS)
    return DemoTraffic(train, calibration, test)
