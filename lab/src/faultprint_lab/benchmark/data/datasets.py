"""The data of a trial: tables to train on and tables to score."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

import numpy as np
import polars as pl

from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import RECOVERY
from faultprint.windows.labelling import fault_names
from faultprint_lab.baselines import recorded
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.data import simulated
from faultprint_lab.benchmark.data.corruption import CORRUPTIONS
from faultprint_lab.benchmark.splits import BLOCKS, SPLITS, TRAIN, Sizes
from faultprint_lab.benchmark.trials import FOLDS, BenchmarkTrial
from faultprint_lab.locations import DATA_VARIABLE, TESTBED_DATA, external_data

_ORIGIN: Final = {
    "testbed": "the data set that `faultprint testbed record` makes",
    "5gc-faults": "the table of the ITU challenge PS-015, area b",
}
_CORRUPTION_STREAM: Final = 7
"""Second seed of the generator that damages data."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The tables of a trial.

    - `train`: minutes and labels to train on, without labels of the `hidden` faults; `all_labels` includes them.
    - `scored`: minutes and labels to score, with earlier days. `history_minutes` come before the first scored minute (None:
      until the node has an hour of normal minutes).
    - `calibration`: further networks that set thresholds, in addition to those that training holds out.
    """

    train: Tables
    all_labels: pl.DataFrame
    hidden: tuple[str, ...]
    scored: Tables
    history_minutes: int | None
    calibration: Tables | None = None


@dataclass(frozen=True, slots=True)
class DataFolders:
    """Folders of data that is not simulated here: the test bed's recording, and the 5G core's table."""

    testbed: Path = TESTBED_DATA
    core: Path | None = field(default_factory=lambda: external_data("5gc-faults"))

    @classmethod
    def with_defaults(cls, testbed: Path | None, core: Path | None) -> Self:
        """The given folders, and the default instead of None."""
        default = cls()
        return cls(testbed or default.testbed, core or default.core)


class Datasets:
    """Makes the data of trials. What is simulated is kept in `cache`; the last tables stay in memory for the next trial."""

    def __init__(self, cache: Cache, sizes: Sizes, folders: DataFolders) -> None:
        self.cache, self.sizes, self.folders = cache, sizes, folders
        self._train = lru_cache(1)(self.read_train)
        self._scored = lru_cache(1)(self.read_scored)

    def missing(self, data: str) -> str:
        """Why this kind of data is not available; empty if it is."""
        if data not in _ORIGIN:
            return ""
        folder = self._folder(data)
        if folder is None:
            return f"its folder is unknown: set {DATA_VARIABLE} to the folder that holds {_ORIGIN[data]}"
        return "" if folder.exists() else f"{folder} does not exist; it should hold {_ORIGIN[data]}"

    def fingerprint(self, data: str) -> str:
        """A hash of the files with the data; empty for simulated data."""
        digest = hashlib.sha256()
        folder = self._folder(data)
        if folder is None:
            return ""
        for path in sorted(folder.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def _folder(self, data: str) -> Path | None:
        return {"testbed": self.folders.testbed, "5gc-faults": self.folders.core}.get(data)

    def dataset(self, trial: BenchmarkTrial) -> Dataset:
        """The data of a trial. Raises UsageError where it is not available."""
        if reason := self.missing(trial.data):
            raise UsageError(f"The data {trial.data!r} cannot be used: {reason}.")
        minutes, labels = self._train(trial.data, trial.networks, trial.seed)
        hidden = tuple(fault_names(labels)[trial.hidden.fold :: FOLDS]) if trial.hidden else ()
        scored = self._scored(trial.data, trial.split, trial.temporal, trial.seed)
        if trial.corruption:
            rng = np.random.default_rng([trial.seed, _CORRUPTION_STREAM])
            scored = CORRUPTIONS[trial.corruption](scored[0], SIP_CATALOGUE, rng), scored[1]
        days = self.sizes.train_days if trial.temporal else self.sizes.history_days
        history = round(days * 1440) if trial.data == "simulated" else None
        calibration = None
        if (trial.data, trial.split) == ("testbed", "test"):
            calibration = recorded.read(self.folders.testbed).validation
        return Dataset((minutes, hide(labels, hidden)), labels, hidden, scored, history, calibration)

    def read_train(self, data: str, networks: int, seed: int) -> Tables:
        """The first `networks` of the training split."""
        simulations = [self._training_network(number, seed) for number in range(networks)]
        tables = recorded.joined(*(first_days(tables, self.sizes.train_days) for tables in simulations))
        return recorded.joined(tables, recorded.read(self.folders.testbed).train) if data == "testbed" else tables

    def _training_network(self, number: int, seed: int) -> Tables:
        """A training network; the first few are simulated for longer, because their later days are scored."""
        block, sizes = BLOCKS[TRAIN], self.sizes
        later = sizes.temporal_days if number < len(SPLITS) * sizes.temporal_networks else 0
        return simulated.network(self.cache, block.first + number, block.base + seed, sizes.train_days + later)

    def read_scored(self, data: str, split: str, temporal: bool, seed: int) -> Tables:
        """The networks of a split, or the later days of training networks."""
        if data == "testbed":
            testbed = recorded.read(self.folders.testbed)
            return testbed.validation if split == "validation" else testbed.test
        if temporal:
            first = SPLITS.index(split) * self.sizes.temporal_networks
            numbers = range(first, first + self.sizes.temporal_networks)
            return recorded.joined(*(self._training_network(number, seed) for number in numbers))
        block = BLOCKS[split]
        days = self.sizes.history_days + self.sizes.evaluation_days
        numbers = range(block.first, block.first + self.sizes.evaluation_networks)
        return simulated.networks(self.cache, numbers, block.base + seed, days)


def hide(labels: pl.DataFrame, hidden: tuple[str, ...]) -> pl.DataFrame:
    """The labels without hidden faults and without the recovery after them: that time has no label."""
    rows = labels.sort("node", "start")
    condition = pl.col("condition").cast(pl.String)
    recovery = (condition == RECOVERY) & condition.shift(1).over("node").is_in(hidden).fill_null(False)
    return rows.filter(~(condition.is_in(hidden) | recovery))


def only(tables: Tables, networks: set[str]) -> Tables:
    """The minutes and labels of these networks."""
    minutes = tables[0].filter(pl.col("network").cast(pl.String).is_in(sorted(networks)))
    nodes = minutes["node"].cast(pl.String).unique().to_list()
    return minutes, tables[1].filter(pl.col("node").cast(pl.String).is_in(nodes))


def first_days(tables: Tables, days: float) -> Tables:
    """The first days of one network; labels are cut at their end."""
    minutes, labels = tables
    end = minutes["minute"].min() + timedelta(days=days)  # type: ignore[operator]
    cut = labels.filter(pl.col("start") < end).with_columns(pl.min_horizontal("end", pl.lit(end)).alias("end"))
    return minutes.filter(pl.col("minute") < end), cut.cast(labels.schema)
