"""Simulated networks: a file of minutes and a file of labels for each, simulated once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import polars as pl

from faultprint import storage
from faultprint.features.minutes import build_minutes_file, read_minutes
from faultprint.files import replacing
from faultprint.tables import LABELS
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.simulate.run import simulate

CODE: Final = ("faultprint_lab.simulate", "faultprint.features", "faultprint.tables")
EPISODES_PER_DAY: Final = 5.0


def network(cache: Cache, number: int, seed: int, days: float) -> Tables:
    """(minutes, labels) of network `number` of the simulator's `seed`."""
    arguments = {"number": number, "seed": seed, "days": days, "episodes": EPISODES_PER_DAY}
    labels = cache.path("labels", arguments, CODE, ".parquet")

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=".network.", dir=cache.folder) as name:
            folder = Path(name)
            simulate(folder, networks=1, days=days, seed=seed, first_network=number, episodes_per_day=EPISODES_PER_DAY)
            build_minutes_file(folder / "transactions.parquet", path)
            # The labels first, so that a folder with the minutes has them as well.
            with replacing(labels) as temporary:
                (folder / "labels.parquet").replace(temporary)

    minutes = cache.file("minutes", arguments, CODE, ".parquet", make)
    return read_minutes(minutes).frame, storage.read(labels, LABELS)


def networks(cache: Cache, numbers: range, seed: int, days: float) -> Tables:
    """(minutes, labels) of several networks, concatenated."""
    minutes, labels = zip(*(network(cache, number, seed, days) for number in numbers), strict=True)
    return pl.concat(minutes), pl.concat(labels)
