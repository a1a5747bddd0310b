"""Measurement events: selected features of each node and minute, for a VES collector.

They have an outbox of their own, with a delivery worker, a limit and metrics. 10,000 nodes make 600,000 events an hour. In the
outbox of the incidents these would delay every incident and, once the limit is reached, displace incidents. The events are
saved with their minute, so that a kill loses none. When more than `retention.messages` wait (by default ten minutes of 10,000
nodes), the oldest are dead-lettered, counted and logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.catalogue import Catalogue
from faultprint.publish.message import Message
from faultprint.publish.routes import measurement_message
from faultprint.publish.ves.event import VesSettings
from faultprint.publish.ves.measurement import MeasurementCounter, group_names


@dataclass(frozen=True, slots=True)
class MeasurementEncoder:
    """Encodes a minute: one message for each observed node."""

    counters: tuple[MeasurementCounter, ...]
    settings: VesSettings
    interval_us: int

    @classmethod
    def create(
        cls, sink: str, features: tuple[str, ...], catalogue: Catalogue, settings: VesSettings, interval_us: int
    ) -> MeasurementEncoder:
        """Raises UsageError for a feature that is not in the catalogue or is listed twice."""
        for name in features:
            if name not in catalogue.names:
                raise UsageError(
                    f"Sink {sink!r} has the measurement {name!r}, which is not a feature of catalogue {catalogue.name!r}; "
                    "docs/reference/features.md lists the features."
                )
        counters = tuple(map(MeasurementCounter, features))
        group_names(counters)
        return cls(counters, settings, interval_us)

    def __call__(self, rows: pl.DataFrame, minute_us: int) -> Iterator[Message]:
        columns = [counter.feature for counter in self.counters]
        selected = rows.select(pl.col("node", "network").cast(pl.String), "observed", *columns)
        for row in selected.iter_rows(named=True):
            yield measurement_message(row, self.counters, self.settings, minute_us, self.interval_us)
