"""Chosen counters of each node and minute, as measurement events for a VES collector.

They wait in an outbox of their own (a lane), with a courier, a limit and metrics of its own: at 10,000 nodes an hour of
counters is 600,000 messages, which in the incidents' outbox would stand before every incident and, once it is full, push
incidents aside. They are kept with the minute, so that a kill loses none; once more than `keep.messages` of them wait (by
default ten minutes of 10,000 nodes, or a week of ten), the oldest are put aside as the outbox does with any message, and told.
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
from faultprint.publish.ves.measurement import Counter, places


@dataclass(frozen=True, slots=True)
class Measurements:
    """Makes the messages of a minute: one for each node that was observed."""

    counters: tuple[Counter, ...]
    settings: VesSettings
    interval_us: int

    @classmethod
    def of(
        cls, sink: str, features: tuple[str, ...], catalogue: Catalogue, settings: VesSettings, interval_us: int
    ) -> Measurements:
        """Raises UsageError for a feature that is not in the catalogue, or is named twice."""
        for name in features:
            if name not in catalogue.names:
                raise UsageError(
                    f"Sink {sink!r} measures {name!r}, which is no feature of the model's catalogue {catalogue.name!r}; "
                    "docs/features.md lists them."
                )
        counters = tuple(map(Counter, features))
        places(counters)
        return cls(counters, settings, interval_us)

    def __call__(self, rows: pl.DataFrame, minute_us: int) -> Iterator[Message]:
        columns = [counter.feature for counter in self.counters]
        named = rows.select(pl.col("node", "network").cast(pl.String), "observed", *columns)
        for row in named.iter_rows(named=True):
            yield measurement_message(row, self.counters, self.settings, minute_us, self.interval_us)
