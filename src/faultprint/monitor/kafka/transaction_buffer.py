"""Transactions of a partition, gathered until their minutes are over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.coverage import Interval
from faultprint.monitor.ingest.minute_builder import MinuteBuilder
from faultprint.monitor.kafka import transaction_codec
from faultprint.monitor.kafka.records import Row

FACT: Final = "transactions"
MOST: Final = 2_000_000
"""Transactions that wait at once; further ones are refused."""


class TransactionBuffer:
    """`minute` makes one minute after another; what it has made is part of the state, by `facts`."""

    def __init__(self, interval_us: int, most_nodes: int) -> None:
        self._interval_us, self._most_nodes = interval_us, most_nodes
        self._pieces = MinuteBuilder(interval_us)
        self._over: list[Row] = []
        self._telling: dict[str, list[Row]] = {}
        self._standing: dict[str, list[Row]] = {}
        self._stretches: dict[tuple[str, int], Interval] = {}
        self._begun: dict[tuple[str, int], int] = {}
        """Number of the minute in which a stretch was first told of; what went before may lie on the log no longer."""

    def take(self, sender: str, told: transaction_codec.TransactionRecord) -> bool:
        """A transaction; whether there was room for it."""
        if len(self._over) + len(self._pieces) + sum(map(len, self._telling.values())) >= MOST:
            return False
        (self._telling.setdefault(sender, []) if told.open else self._over).append(told.row)
        return True

    def listened(self, stretch: Interval, from_us: int) -> bool:
        """A stretch of listening, or how it went on; whether there was room for it. `from_us` as in `talk.Listened`."""
        key = stretch.node, stretch.start_us
        known = self._stretches.get(key)
        if known is None and len(self._stretches) >= 2 * self._most_nodes:
            return False
        self._begun.setdefault(key, from_us // self._interval_us)
        if known is None or stretch.end_us > known.end_us:
            self._stretches[key] = stretch
        return True

    def mark(self, sender: str) -> None:
        """What the sender told as it stands is what stands now."""
        self._standing[sender] = self._telling.pop(sender, [])

    def numbers(self, after: int, last: int) -> Iterator[int]:
        """The minutes behind `after`, up to `last`, in which anybody listened."""
        found: set[int] = set()
        for key, one in self._stretches.items():
            end = -(-one.end_us // self._interval_us)
            found.update(range(max(self._begun[key], after + 1), min(end, last + 1)))
        yield from sorted(found)

    def minute(self, number: int) -> pl.DataFrame:
        """The MINUTES of that number; those before are done with."""
        begin_us, end_us = number * self._interval_us, (number + 1) * self._interval_us
        self._pieces.add(transaction_codec.frame(self._over))
        self._over.clear()
        standing = transaction_codec.frame([row for rows in self._standing.values() for row in rows])
        made = self._pieces.minutes(standing, list(self._stretches.values()), begin_us, end_us)
        for key in [key for key, one in self._stretches.items() if one.end_us <= begin_us]:
            del self._stretches[key], self._begun[key]
        return made

    def facts(self) -> Mapping[str, str]:
        """What is written with a minute's state."""
        return {FACT: json.dumps({"open": self._pieces.made.open, "stretches": list(self._stretches.values())})}

    def recall(self, facts: Mapping[str, str]) -> None:
        """Go on from there. Raises UsageError."""
        if FACT not in facts:
            return
        try:
            found = json.loads(facts[FACT])
            self._pieces.made.open.update({str(node): int(count) for node, count in found["open"].items()})
            for node, network, start_us, end_us in found["stretches"]:
                self.listened(Interval(str(node), str(network), int(start_us), int(end_us)), 0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"The state's transactions cannot be read ({error}); it was altered: remove it.") from None
