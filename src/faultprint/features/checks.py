"""What a MINUTES file must hold beyond its schema. Every check raises TableError, one sentence that names the
source: a file, or whatever rows came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import Catalogue
from faultprint.tables import CATALOGUE_KEY, MINUTES


def check_columns(path: Path, columns: Sequence[str], catalogue: Catalogue) -> None:
    """The table's own columns, and a column a feature of the catalogue."""
    if strange := sorted((set(columns) - set(MINUTES.names)) ^ set(catalogue.names)):
        what = "lacks" if strange[0] in catalogue.names else "has"
        raise TableError(
            f"{path} {what} column {strange[0]!r}, unlike catalogue {catalogue.name!r}; make the minutes again."
        )


def check_figures(frame: pl.DataFrame, source: Path | str, catalogue: Catalogue) -> None:
    """Every value one that its kind can have."""
    lowest = {feature.name: -np.inf if feature.kind == "gauge" else 0 for feature in catalogue.features}
    # One look at the frame for all: rows from a topic are checked a few at a time, and often.
    wrong = (
        pl.col(name).filter(~(pl.col(name).is_finite() & (pl.col(name) >= least))).first()
        for name, least in lowest.items()
    )
    for feature, value in zip(catalogue.features, frame.select(wrong).row(0), strict=True):
        if value is not None:
            raise TableError(
                f"{source}: {feature.name!r} is {value} in some interval, which no {feature.kind} can be; correct the value."
            )


def check_metadata(path: Path, catalogue: Catalogue) -> int:
    """The interval's length from the file's metadata, which must name this catalogue."""
    try:
        found = json.loads(storage.metadata(path)[CATALOGUE_KEY])
        name, digest, interval_us = found["name"], found["hash"], found["interval_us"]
    except (KeyError, ValueError, TypeError):
        raise TableError(
            f"{path} does not say which catalogue its features follow; make it with `faultprint features`."
        ) from None
    if (name, digest) != (catalogue.name, catalogue.hash):
        raise TableError(
            f"{path} follows catalogue {name!r} ({str(digest)[:8]}…), but {catalogue.name!r} ({catalogue.hash[:8]}…) is "
            "needed; make the minutes again with this version."
        )
    if type(interval_us) is not int or interval_us <= 0:
        raise TableError(f"{path}: an interval of {interval_us!r} µs cannot be; make the minutes again.")
    return interval_us


def check_grid(frame: pl.DataFrame, source: Path | str, interval_us: int) -> None:
    """Every row an interval of its own, aligned to the epoch, listened to, of a node in one network."""
    check_rows(frame, source, interval_us)
    _refuse(frame.filter(frame.select("node", "minute").is_duplicated()), source, "has two rows")
    networks = frame.group_by("node").agg(pl.col("network").n_unique().alias("networks"))
    for (node,) in networks.filter(pl.col("networks") > 1).select("node").iter_rows():
        raise TableError(f"{source}: node {node!r} is in two networks; name them apart.")


def check_rows(frame: pl.DataFrame, source: Path | str, interval_us: int) -> None:
    """Every row aligned to the epoch, and listened to."""
    if not frame.filter(~pl.col("observed").is_between(0, 1, closed="right")).is_empty():
        raise TableError(f"{source}: `observed` must be above 0 and at most 1; correct it.")
    off = frame.filter(pl.col("minute").to_physical() % interval_us != 0)
    _refuse(off, source, f"is no multiple of {interval_us} µs")


def _refuse(rows: pl.DataFrame, source: Path | str, what: str) -> None:
    """Raise TableError for the first of the rows, if there are any."""
    if not rows.is_empty():
        node, minute = rows.select("node", "minute").row(0)
        raise TableError(f"{source}: interval {minute} of node {node!r} {what}; make the minutes again.")
