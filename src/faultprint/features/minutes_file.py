"""Minutes files of any length, read in batches that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.features.checks import check_columns, check_feature_values, check_metadata, check_rows
from faultprint.tables import MINUTES


@dataclass(frozen=True, slots=True)
class MinutesFile:
    """An open MINUTES file. Its batches together hold the rows that `read_minutes` would return."""

    path: Path
    catalogue: Catalogue
    interval_us: int

    def node_ranges(self) -> pl.DataFrame:
        """Columns node, network, first and last (minute), by node. Raises TableError for a node in two networks.

        Rows without a node, network or minute are ignored here; `batches` refuses them.
        """
        frame = storage.scan(self.path, MINUTES).with_columns(pl.col("node", "network").cast(pl.String))
        frame = frame.drop_nulls(["node", "network", "minute"])
        minute, networks = pl.col("minute"), pl.col("network")
        ranges = frame.group_by("node").agg(
            networks.min(), networks.max().alias("other"), minute.min().alias("first"), minute.max().alias("last")
        )
        table = ranges.collect(engine="streaming").sort("node")
        for (node,) in table.filter(networks != pl.col("other")).select("node").iter_rows():
            raise TableError(f"{self.path}: node {node!r} is in two networks; rename one node.")
        return table.drop("other")

    def batches(self, rows: int = 5000) -> Iterator[pl.DataFrame]:
        """All rows in their order, up to `rows` at a time, each batch checked as by `read_minutes`.

        The caller must check that no minute has two rows. Raises TableError.
        """
        frame = storage.scan(self.path, MINUTES)
        for start in range(0, frame.select(pl.len()).collect().item(), rows):
            batch = frame.slice(start, rows).collect()
            storage.check_values(batch, MINUTES, str(self.path))
            check_rows(batch, self.path, self.interval_us)
            check_feature_values(batch, self.path, self.catalogue)
            yield batch.select(*MINUTES.names, *self.catalogue.names)


def open_minutes_file(path: Path, catalogue: Catalogue = SIP_CATALOGUE) -> MinutesFile:
    """The MINUTES file at `path`. Checks its columns against `catalogue` but reads no rows yet. Raises TableError."""
    columns = storage.scan(path, MINUTES).collect_schema().names()
    interval_us = check_metadata(path, catalogue)
    check_columns(path, columns, catalogue)
    return MinutesFile(path, catalogue, interval_us)
