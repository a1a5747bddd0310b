"""What a trial is played on: the tables that it learns from and those that it meets."""

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
from faultprint.windows.labelling import faults
from faultprint_lab.baselines import recorded
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.data import simulated
from faultprint_lab.benchmark.data.corruption import CORRUPTIONS
from faultprint_lab.benchmark.splits import BLOCKS, SPLITS, TRAIN, Sizes
from faultprint_lab.benchmark.trials import FOLDS, BenchmarkTrial
from faultprint_lab.locations import BEDS, DATA, others

_WHOSE: Final = {
    "bed": "the data set that `faultprint testbed record` makes",
    "5gc-faults": "the table of the ITU's challenge PS-015, area b",
}
_SPOILT: Final = 7
"""Beside the suite's seed, of the generator that damages data."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """`learn` is what systems may learn from: stretches of `hidden` faults have no label there.

    `lessons` are the labels of the same minutes with the hidden ones, from which references are taken; `meet` the tables met,
    earlier days included, of which `history` minutes come before the first that is scored (None: an hour of normal ones).
    `kept` are more networks to set thresholds on, beside those that training holds out.
    """

    learn: Tables
    lessons: pl.DataFrame
    hidden: tuple[str, ...]
    meet: Tables
    history: int | None
    kept: Tables | None = None


@dataclass(frozen=True, slots=True)
class DataFolders:
    """Folders of data that is not made here: recorded on the test bed, and the 5G core's (`fivegcore`)."""

    beds: Path = BEDS
    core: Path | None = field(default_factory=lambda: others("5gc-faults"))

    @classmethod
    def of(cls, beds: Path | None, core: Path | None) -> Self:
        """The folders that are named, the default where one is not."""
        usual = cls()
        return cls(beds or usual.beds, core or usual.core)


class Datasets:
    """Sets the stage for trials; what is made is kept in `cache`, what is read is kept in memory for the next trial."""

    def __init__(self, cache: Cache, sizes: Sizes, places: DataFolders) -> None:
        self.cache, self.sizes, self.places = cache, sizes, places
        self._learn = lru_cache(1)(self._read_learn)
        self._meet = lru_cache(1)(self._read_meet)

    def missing(self, data: str) -> str:
        """Why there is none of this data here; empty if there is."""
        if data not in _WHOSE:
            return ""
        folder = self._folder(data)
        if folder is None:
            return f"its folder is not known: set {DATA} to where {_WHOSE[data]} is"
        return "" if folder.exists() else f"{folder} is not here, {_WHOSE[data]}"

    def fingerprint(self, data: str) -> str:
        """A hash of the files that the data is read from; empty where it is made here."""
        digest = hashlib.sha256()
        folder = self._folder(data)
        if folder is None:
            return ""
        for path in sorted(folder.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def _folder(self, data: str) -> Path | None:
        return {"bed": self.places.beds, "5gc-faults": self.places.core}.get(data)

    def stage(self, trial: BenchmarkTrial) -> Dataset:
        """Raises UsageError where there is not the data."""
        if reason := self.missing(trial.data):
            raise UsageError(f"The data {trial.data!r} cannot be used: {reason}.")
        minutes, labels = self._learn(trial.data, trial.networks, trial.seed)
        hidden = tuple(faults(labels)[trial.hidden.fold :: FOLDS]) if trial.hidden else ()
        meet = self._meet(trial.data, trial.split, trial.later, trial.seed)
        if trial.spoil:
            rng = np.random.default_rng([trial.seed, _SPOILT])
            meet = CORRUPTIONS[trial.spoil](meet[0], SIP_CATALOGUE, rng), meet[1]
        days = self.sizes.train_days if trial.later else self.sizes.history_days
        history = round(days * 1440) if trial.data == "simulated" else None
        kept = recorded.read(self.places.beds).choose if (trial.data, trial.split) == ("bed", "report") else None
        return Dataset((minutes, hide(labels, hidden)), labels, hidden, meet, history, kept)

    def _read_learn(self, data: str, networks: int, seed: int) -> Tables:
        """The first `networks` to train on."""
        made = [self._trained(number, seed) for number in range(networks)]
        tables = recorded.joined(*(first_days(one, self.sizes.train_days) for one in made))
        return recorded.joined(tables, recorded.read(self.places.beds).train) if data == "bed" else tables

    def _trained(self, number: int, seed: int) -> Tables:
        """A network to train on; the first few are simulated for longer, to be met later."""
        block, sizes = BLOCKS[TRAIN], self.sizes
        longer = sizes.later_days if number < len(SPLITS) * sizes.later_networks else 0
        return simulated.network(self.cache, block.first + number, block.base + seed, sizes.train_days + longer)

    def _read_meet(self, data: str, split: str, later: bool, seed: int) -> Tables:
        if data == "bed":
            beds = recorded.read(self.places.beds)
            return beds.choose if split == "choose" else beds.report
        if later:
            first = SPLITS.index(split) * self.sizes.later_networks
            return recorded.joined(*(self._trained(first + n, seed) for n in range(self.sizes.later_networks)))
        block = BLOCKS[split]
        days = self.sizes.history_days + self.sizes.meet_days
        numbers = range(block.first, block.first + self.sizes.meet_networks)
        return simulated.networks(self.cache, numbers, block.base + seed, days)


def hide(labels: pl.DataFrame, hidden: tuple[str, ...]) -> pl.DataFrame:
    """The labels without those of hidden faults, and of the recovery after them: that time is unlabelled."""
    rows = labels.sort("node", "start")
    word = pl.col("condition").cast(pl.String)
    after = (word == RECOVERY) & word.shift(1).over("node").is_in(hidden).fill_null(False)
    return rows.filter(~(word.is_in(hidden) | after))


def only(tables: Tables, networks: set[str]) -> Tables:
    """The minutes and labels of these networks."""
    minutes = tables[0].filter(pl.col("network").cast(pl.String).is_in(sorted(networks)))
    nodes = minutes["node"].cast(pl.String).unique().to_list()
    return minutes, tables[1].filter(pl.col("node").cast(pl.String).is_in(nodes))


def first_days(tables: Tables, days: float) -> Tables:
    """What of one network lies within its first days, labels cut."""
    minutes, labels = tables
    end = minutes["minute"].min() + timedelta(days=days)  # type: ignore[operator]
    cut = labels.filter(pl.col("start") < end).with_columns(pl.min_horizontal("end", pl.lit(end)).alias("end"))
    return minutes.filter(pl.col("minute") < end), cut.cast(labels.schema)
