"""The data set recorded on the test bed, parted by network as its split.toml says."""

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

SIDES: Final = ("train", "choose", "report")
PREFIX: Final = "bed-"
"""Put before the names of nodes and networks, so that they are nobody else's when tables are joined."""

Tables = tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Recorded:
    """(minutes, labels) of the networks to train on, to choose on (thresholds), and to report on."""

    train: Tables
    choose: Tables
    report: Tables


def read(folder: Path) -> Recorded:
    """The data set in `folder`. Raises TableError where a file is damaged or the split leaves a side without a network."""
    minutes = read_minutes(folder / "minutes.parquet").frame
    labels = storage.read(folder / "labels.parquet", LABELS)
    try:
        networks = tomllib.loads((folder / "split.toml").read_text(encoding="utf-8"))["networks"]
        sides = {side: [str(name) for name in networks[side]] for side in SIDES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(
            f"{folder / 'split.toml'} does not part the networks into {', '.join(SIDES)} ({error}); record the data set anew."
        ) from None
    return Recorded(*(_side(minutes, labels, sides[side], f"{folder}: side {side!r}") for side in SIDES))


def joined(*tables: Tables) -> Tables:
    """Minutes and labels of several sources, one after another."""
    minutes, labels = zip(*tables, strict=True)
    return pl.concat(minutes), pl.concat(labels)


def _side(minutes: pl.DataFrame, labels: pl.DataFrame, networks: list[str], where: str) -> Tables:
    own = minutes.filter(pl.col("network").cast(pl.String).is_in(networks))
    if own.is_empty():
        raise TableError(
            f"{where} has no minutes of its networks ({', '.join(networks) or 'none named'}); record more."
        )
    nodes = own["node"].cast(pl.String).unique().to_list()
    theirs = labels.filter(pl.col("node").cast(pl.String).is_in(nodes))
    return _prefixed(own, ("node", "network")), _prefixed(theirs, ("node",))


def _prefixed(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    renamed = [(PREFIX + pl.col(name).cast(pl.String)).cast(frame.schema[name]).alias(name) for name in columns]
    return frame.with_columns(renamed)
