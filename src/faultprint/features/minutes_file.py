"""Minutes in pieces, where all of them would fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.features.checks import check_columns, check_figures, check_metadata, check_rows
from faultprint.tables import MINUTES


@dataclass(frozen=True, slots=True)
class MinutesFile:
    """A MINUTES file of any length, which is read in pieces: what is in it is what `read_minutes` would give."""

    path: Path
    catalogue: Catalogue
    interval_us: int

    def nodes(self) -> pl.DataFrame:
        """node, network, first and last minute, by node. Raises TableError for a node in two networks.

        Rows that lack one of them are left to `pieces`, which refuses them.
        """
        frame = storage.scan(self.path, MINUTES).with_columns(pl.col("node", "network").cast(pl.String))
        frame = frame.drop_nulls(["node", "network", "minute"])
        minute, networks = pl.col("minute"), pl.col("network")
        found = frame.group_by("node").agg(
            networks.min(), networks.max().alias("other"), minute.min().alias("first"), minute.max().alias("last")
        )
        known = found.collect(engine="streaming").sort("node")
        for (node,) in known.filter(networks != pl.col("other")).select("node").iter_rows():
            raise TableError(f"{self.path}: node {node!r} is in two networks; name them apart.")
        return known.drop("other")

    def pieces(self, rows: int = 5000) -> Iterator[pl.DataFrame]:
        """All rows in their order, so many at a time, each piece checked as `read_minutes` does it.

        Whether a minute has two rows is left to who puts the pieces together. Raises TableError.
        """
        frame = storage.scan(self.path, MINUTES)
        for start in range(0, frame.select(pl.len()).collect().item(), rows):
            piece = frame.slice(start, rows).collect()
            storage.check_values(piece, MINUTES, str(self.path))
            check_rows(piece, self.path, self.interval_us)
            check_figures(piece, self.path, self.catalogue)
            yield piece.select(*MINUTES.names, *self.catalogue.names)


def open_minutes(path: Path, catalogue: Catalogue = SIP_CATALOGUE) -> MinutesFile:
    """The MINUTES file at `path`, its columns checked against `catalogue`, nothing read yet. Raises TableError."""
    columns = storage.scan(path, MINUTES).collect_schema().names()
    interval_us = check_metadata(path, catalogue)
    check_columns(path, columns, catalogue)
    return MinutesFile(path, catalogue, interval_us)
