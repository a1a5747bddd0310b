"""A partition of transactions: its minutes are those that the batch makes, wherever reading was broken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultprint import storage
from faultprint.errors import TableError, UsageError
from faultprint.features.coverage import Interval, dump
from faultprint.features.minutes import minutes as minutes_of
from faultprint.monitor.base.interfaces import TransactionBatch, TransactionSource
from faultprint.monitor.ingest.files import MinutesFileSource, Replay, ReplayClock, TransactionsFileSource
from faultprint.monitor.ingest.probe import ProbeSource
from faultprint.monitor.kafka import records, transaction_codec
from faultprint.monitor.kafka.partition import CROWDED, SOURCE, UNREADABLE, Partition
from faultprint.monitor.kafka.producer import Producer
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.monitor.kafka.transactions import TransactionsPartition
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS

from ...features.strategies import crowd, table
from ...probe.golden import KEY
from ..conftest import Log, Town, Watch
from ..test_contracts import minutes_file
from ..test_listening import BEGIN, NODE, Recorded, batch
from ..test_listening import talk as chatter
from .test_partition import Record, random_sizes, read, reading

MINUTE, SECOND = 60_000_000, 1_000_000


class Topic:
    """Takes the place of a cluster and its producer; everything goes to one partition."""

    def __init__(self) -> None:
        self.log: list[Record] = []

    def producer(self, options: object) -> Topic:
        return self

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def produce(self, topic: str, value: bytes, key: bytes | None, partition: int, **more: Any) -> None:
        # Put there long after it happened, so that nothing seems to come early.
        self.log.append(Record(len(self.log), value, 2**51 // 1000))
        more["on_delivery"](None, None)

    def poll(self, seconds: float) -> None:
        pass

    def flush(self, seconds: float) -> int:
        return 0


def fed(source: TransactionSource, extra_us: int, until_us: int | None = None) -> list[Record]:
    """What a feed puts on the topic, until it is complete as far as that."""
    topic = Topic()

    def enough() -> bool:
        last = transaction_codec.decode(topic.log[-1].body) if topic.log else None
        return until_us is not None and isinstance(last, WatermarkRecord) and last.complete_us >= until_us

    Producer(topic, "topic", "feed", Log()).transactions(source, extra_us, enough)  # type: ignore[arg-type]
    return topic.log


@pytest.fixture
def recording(tmp_path: Path) -> tuple[TransactionsFileSource, pl.DataFrame]:
    """A crowd's transactions of some hours, and the minutes that the batch makes of them."""
    frame = table(crowd(3_000, 1)).with_columns(
        (pl.col(name).to_physical() * 60_000).cast(pl.Datetime("us", "UTC"))
        for name in ("start", "provisional", "ringing", "completion")
    )
    stretches = [Interval("a", "net", 0, 7 * MINUTE + 5), Interval("b", "net", 30, 200 * MINUTE)]
    storage.write(frame, TRANSACTIONS, tmp_path / "t.parquet", {COVERAGE_KEY: dump(stretches)})
    return TransactionsFileSource(tmp_path / "t.parquet", MINUTE), minutes_of(frame.lazy(), stretches)


def made(partition: Partition, into: list[pl.DataFrame]) -> None:
    """Remember the minutes that the partition makes."""
    assert isinstance(partition, TransactionsPartition)
    gathering = partition._gathering
    make = gathering.minute

    def remember(number: int) -> pl.DataFrame:
        into.append(make(number))
        return into[-1]

    gathering.minute = remember  # type: ignore[method-assign]


def test_minutes_of_a_recording_are_the_batchs(
    watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame]
) -> None:
    source, expected = recording
    found: list[pl.DataFrame] = []
    with reading(watch, kind=TransactionsPartition) as one:
        made(one, found)
        read(one, fed(source, SECOND), random_sizes(1))
        assert one.monitor.counters.minutes == expected["minute"].n_unique()
        assert {reason for _, reason in one.monitor.buffer.refused} <= {"partial"}
    assert pl.concat(found).sort("node", "minute").equals(expected.sort("node", "minute"))


def test_minutes_after_kills_are_the_same(watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    source, expected = recording
    log, found = fed(source, SECOND), []
    cuts = sorted(np.random.default_rng(5).choice(len(log), 10, replace=False).tolist())
    minutes = 0
    for end in [*cuts, len(log)]:
        with reading(watch, kind=TransactionsPartition) as one:
            made(one, found)
            read(one, log[:end], random_sizes(end))
            minutes += one.monitor.counters.minutes
    assert minutes == expected["minute"].n_unique()
    # A minute that was made but not finished before a kill was made again, the same.
    assert pl.concat(found).unique().sort("node", "minute").equals(expected.sort("node", "minute"))


@pytest.mark.parametrize("at_once", [7, 1000])
def test_minutes_of_a_live_probe_are_the_batchs(at_once: int, watch: Watch) -> None:
    packets = chatter(1, 400, 5 * MINUTE)
    clock = ReplayClock()
    clock.time_us = BEGIN
    source = ProbeSource([Recorded(packets, at_once)], [NODE], "lab", KEY, MINUTE, SECOND, clock)
    log, found = fed(source, 0, BEGIN + 7 * MINUTE + SECOND), []
    with reading(watch, kind=TransactionsPartition) as one:
        made(one, found)
        read(one, log, random_sizes(2))
    assert pl.concat(found)[:7].equals(batch(packets, BEGIN + 7 * MINUTE))


def test_a_recording_of_minutes_has_no_transactions(tmp_path: Path, town: Town) -> None:
    source = Replay(minutes_file(tmp_path, town)[0], ReplayClock(), None)
    assert isinstance(source, Replay) and isinstance(minutes_file(tmp_path, town)[0], MinutesFileSource)
    with pytest.raises(UsageError, match="holds minutes"):
        next(source.heard())


def test_a_recording_is_told_at_its_speed(recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    waited: list[float] = []
    heard = [one for one in Replay(recording[0], ReplayClock(), 60.0, waited.append).heard() if one]
    assert len(waited) == len(heard) - 1 and set(waited) == {1.0}


def row_of(source: TransactionsFileSource) -> dict[str, Any]:
    heard = next(one for one in source.heard() if one and len(one.over))
    assert isinstance(heard, TransactionBatch)
    return next(transaction_codec.rows(heard.over, standing=False))


def test_what_nobody_can_read_is_counted(watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    good = row_of(recording[0])
    bad = [
        {**good, "status": 70_000},
        {**good, "method": "GET"},
        {**good, "start": -1},
        {**good, "bytes": None},
        {**good, "user": True},
        {**good, "open": 1},
        {**good, "more": 1},
        {"node": "a", "network": "n", "since": 2, "from": 2, "until": 1},
        {"node": "a", "network": "", "since": 1, "from": 1, "until": 2},
    ]
    log = [Record(place, records.encode(row), 2**51 // 1000) for place, row in enumerate([good, *bad])]
    with reading(watch, kind=TransactionsPartition) as one:
        one.take(log)  # type: ignore[arg-type]
        assert one.monitor.buffer.refused == Counter({(SOURCE, UNREADABLE): len(bad)})


def test_a_sender_without_marks_fills_no_memory(
    watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultprint.monitor.kafka.transaction_buffer.MOST", 10)
    good = records.encode(row_of(recording[0]))
    with reading(watch, kind=TransactionsPartition) as one:
        one.take([Record(place, good, 2**51 // 1000) for place in range(25)])  # type: ignore[misc]
        assert one.monitor.buffer.refused == Counter({(SOURCE, CROWDED): 15})


COLUMNS = [*TRANSACTIONS.names, "open", "since", "from", "until", "complete"]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(["in", "SIP", "Gm", 1])
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES))
def test_whatever_comes_is_refused_or_makes_a_table(found: dict[str, Any]) -> None:
    try:
        told = transaction_codec.decode(records.encode(found))
    except TableError:
        return
    if isinstance(told, transaction_codec.TransactionRecord):
        storage.check_schema(transaction_codec.frame([told.row]).schema, TRANSACTIONS, "row")


def test_rows_read_back_equal(recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    def back(heard: Iterator[TransactionBatch | None]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for one in heard:
            assert one is not None
            told = [
                transaction_codec.decode(records.encode(row)) for row in transaction_codec.rows(one.over, standing=True)
            ]
            assert all(isinstance(each, transaction_codec.TransactionRecord) and each.open for each in told)
            yield (
                one.over,
                transaction_codec.frame(
                    [each.row for each in told if isinstance(each, transaction_codec.TransactionRecord)]
                ),
            )

    assert all(before.equals(after) for before, after in back(recording[0].heard()))
