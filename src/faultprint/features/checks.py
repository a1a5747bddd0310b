"""Checks of a MINUTES file beyond its schema.

Every check raises TableError with one sentence that names the source of the rows: a file or a topic.
"""

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
    """Check that the file has the columns of MINUTES and of the catalogue, and no others."""
    if different := sorted((set(columns) - set(MINUTES.names)) ^ set(catalogue.names)):
        problem = "lacks" if different[0] in catalogue.names else "has"
        raise TableError(
            f"{path} {problem} column {different[0]!r}, unlike catalogue {catalogue.name!r}; compute the minutes again."
        )


def check_feature_values(frame: pl.DataFrame, source: Path | str, catalogue: Catalogue) -> None:
    """Check that every value is finite, and not negative unless the feature is a gauge."""
    lowest = {feature.name: -np.inf if feature.kind == "gauge" else 0 for feature in catalogue.features}
    # One query for all features: rows from a topic come a few at a time, and often.
    wrong = (
        pl.col(name).filter(~(pl.col(name).is_finite() & (pl.col(name) >= minimum))).first()
        for name, minimum in lowest.items()
    )
    for feature, value in zip(catalogue.features, frame.select(wrong).row(0), strict=True):
        if value is not None:
            raise TableError(
                f"{source}: {feature.name!r} is {value} in some interval, which is impossible for a {feature.kind}; "
                "correct the value."
            )


def check_metadata(path: Path, catalogue: Catalogue) -> int:
    """Check that the file's metadata names this catalogue. Returns the interval, µs."""
    try:
        document = json.loads(storage.metadata(path)[CATALOGUE_KEY])
        name, digest, interval_us = document["name"], document["hash"], document["interval_us"]
    except (KeyError, ValueError, TypeError):
        raise TableError(
            f"{path} does not say which catalogue its features follow; make it with `faultprint features`."
        ) from None
    if (name, digest) != (catalogue.name, catalogue.hash):
        raise TableError(
            f"{path} follows catalogue {name!r} ({str(digest)[:8]}…), but {catalogue.name!r} ({catalogue.hash[:8]}…) is "
            "needed; compute the minutes again with this version."
        )
    if type(interval_us) is not int or interval_us <= 0:
        raise TableError(f"{path}: an interval of {interval_us!r} µs is impossible; compute the minutes again.")
    return interval_us


def check_grid(frame: pl.DataFrame, source: Path | str, interval_us: int) -> None:
    """Check that each row is an interval of its own, as in `check_rows`, and each node is in one network."""
    check_rows(frame, source, interval_us)
    _refuse(frame.filter(frame.select("node", "minute").is_duplicated()), source, "has two rows")
    networks = frame.group_by("node").agg(pl.col("network").n_unique().alias("networks"))
    for (node,) in networks.filter(pl.col("networks") > 1).select("node").iter_rows():
        raise TableError(f"{source}: node {node!r} is in two networks; rename one node.")


def check_rows(frame: pl.DataFrame, source: Path | str, interval_us: int) -> None:
    """Check that each row starts at a multiple of the interval and was observed for some share of it."""
    if not frame.filter(~pl.col("observed").is_between(0, 1, closed="right")).is_empty():
        raise TableError(f"{source}: `observed` must be above 0 and at most 1; correct it.")
    off_grid = frame.filter(pl.col("minute").to_physical() % interval_us != 0)
    _refuse(off_grid, source, f"does not start at a multiple of {interval_us} µs")


def _refuse(rows: pl.DataFrame, source: Path | str, problem: str) -> None:
    """Raise TableError for the first of the rows, if there are any."""
    if not rows.is_empty():
        node, minute = rows.select("node", "minute").row(0)
        raise TableError(f"{source}: interval {minute} of node {node!r} {problem}; compute the minutes again.")
