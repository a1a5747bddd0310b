"""Transactions of a partition that wait until their minutes are final."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.coverage import CoverageInterval
from faultprint.monitor.ingest.minute_builder import MinuteBuilder
from faultprint.monitor.kafka import transaction_codec
from faultprint.monitor.kafka.records import Row

FACT: Final = "transactions"
"""The stored fact that holds the state of the buffer."""
MAX_TRANSACTIONS: Final = 2_000_000
"""Maximum number of waiting transactions; further ones are rejected."""


class TransactionBuffer:
    """Collects transactions and builds the rows of one minute after another. `facts` is its part of the stored state."""

    def __init__(self, interval_us: int, max_nodes: int) -> None:
        self._interval_us, self._max_nodes = interval_us, max_nodes
        self._builder = MinuteBuilder(interval_us)
        self._final: list[Row] = []
        self._next_open: dict[str, list[Row]] = {}
        """Sender → open transactions that the sender's next watermark makes valid."""
        self._open: dict[str, list[Row]] = {}
        """Sender → open transactions at the sender's last watermark."""
        self._coverage: dict[tuple[str, int], CoverageInterval] = {}
        self._first_minute: dict[tuple[str, int], int] = {}
        """Coverage → number of the first minute whose records are read; earlier ones may be gone from the log."""

    def add(self, sender: str, record: transaction_codec.TransactionRecord) -> bool:
        """Add a transaction. Returns False if the buffer is full."""
        if len(self._final) + len(self._builder) + sum(map(len, self._next_open.values())) >= MAX_TRANSACTIONS:
            return False
        (self._next_open.setdefault(sender, []) if record.open else self._final).append(record.row)
        return True

    def add_coverage(self, interval: CoverageInterval, from_us: int) -> bool:
        """Add a coverage interval, or extend a known one. Returns False if there are too many.

        `from_us` as in `transaction_codec.CoverageRecord`.
        """
        key = interval.node, interval.start_us
        known = self._coverage.get(key)
        if known is None and len(self._coverage) >= 2 * self._max_nodes:
            return False
        self._first_minute.setdefault(key, from_us // self._interval_us)
        if known is None or interval.end_us > known.end_us:
            self._coverage[key] = interval
        return True

    def commit_open(self, sender: str) -> None:
        """A watermark arrived: the open transactions since the last watermark replace the earlier ones of this sender."""
        self._open[sender] = self._next_open.pop(sender, [])

    def minute_numbers(self, after: int, last: int) -> Iterator[int]:
        """Numbers of the minutes after `after`, up to `last`, in which any node was covered."""
        numbers: set[int] = set()
        for key, interval in self._coverage.items():
            end = -(-interval.end_us // self._interval_us)
            numbers.update(range(max(self._first_minute[key], after + 1), min(end, last + 1)))
        yield from sorted(numbers)

    def build_minute(self, number: int) -> pl.DataFrame:
        """The MINUTES rows of the minute of this number. Earlier minutes cannot be built afterwards."""
        begin_us, end_us = number * self._interval_us, (number + 1) * self._interval_us
        self._builder.add(transaction_codec.transactions_frame(self._final))
        self._final.clear()
        open_transactions = transaction_codec.transactions_frame([row for rows in self._open.values() for row in rows])
        minutes = self._builder.minutes(open_transactions, list(self._coverage.values()), begin_us, end_us)
        for key in [key for key, interval in self._coverage.items() if interval.end_us <= begin_us]:
            del self._coverage[key], self._first_minute[key]
        return minutes

    def facts(self) -> Mapping[str, str]:
        """What is stored with the state of a minute. The JSON names are part of the stored format."""
        return {
            FACT: json.dumps({"open": self._builder.made.open_transactions, "stretches": list(self._coverage.values())})
        }

    def restore(self, facts: Mapping[str, str]) -> None:
        """Continue from the stored state. Raises UsageError if it is damaged."""
        if FACT not in facts:
            return
        try:
            document = json.loads(facts[FACT])
            self._builder.made.open_transactions.update(
                {str(node): int(count) for node, count in document["open"].items()}
            )
            for node, network, start_us, end_us in document["stretches"]:
                self.add_coverage(CoverageInterval(str(node), str(network), int(start_us), int(end_us)), 0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"The state's transactions are damaged ({error}); it was altered outside Faultprint: remove the state file."
            ) from None
