"""The data set recorded on the test bed, divided by network into training, validation and test."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.minutes import read_minutes
from faultprint.tables import LABELS

SPLITS: Final = ("train", "choose", "report")
"""Keys of [networks] in split.toml: for training, validation and test."""
TESTBED_PREFIX: Final = "bed-"
"""Put before the names of nodes and networks, so that they stay unique when tables are joined."""

Tables = tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Recorded:
    """(minutes, labels) of the networks for training, for validation (thresholds) and for test."""

    train: Tables
    validation: Tables
    test: Tables


def read(folder: Path) -> Recorded:
    """The data set in `folder`. Raises TableError for a damaged file, or a split without a network."""
    minutes = read_minutes(folder / "minutes.parquet").frame
    labels = storage.read(folder / "labels.parquet", LABELS)
    try:
        networks = tomllib.loads((folder / "split.toml").read_text(encoding="utf-8"))["networks"]
        splits = {name: [str(network) for network in networks[name]] for name in SPLITS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(
            f"{folder / 'split.toml'} does not name the networks of {', '.join(SPLITS)} ({error}); record the data set again."
        ) from None
    return Recorded(*(_split(minutes, labels, splits[name], f"{folder}: split {name!r}") for name in SPLITS))


def joined(*tables: Tables) -> Tables:
    """The minutes and the labels of several sources, each concatenated in order."""
    minutes, labels = zip(*tables, strict=True)
    return pl.concat(minutes), pl.concat(labels)


def _split(minutes: pl.DataFrame, labels: pl.DataFrame, networks: list[str], source: str) -> Tables:
    selected = minutes.filter(pl.col("network").cast(pl.String).is_in(networks))
    if selected.is_empty():
        raise TableError(
            f"{source} has no minutes of its networks ({', '.join(networks) or 'none named'}); record more."
        )
    nodes = selected["node"].cast(pl.String).unique().to_list()
    selected_labels = labels.filter(pl.col("node").cast(pl.String).is_in(nodes))
    return _prefixed(selected, ("node", "network")), _prefixed(selected_labels, ("node",))


def _prefixed(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    renamed = [(TESTBED_PREFIX + pl.col(name).cast(pl.String)).cast(frame.schema[name]).alias(name) for name in columns]
    return frame.with_columns(renamed)
