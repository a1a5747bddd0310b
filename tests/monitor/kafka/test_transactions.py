"""A partition of transactions builds the same minutes as batch processing, wherever reading was interrupted."""

from __future__ import annotations

from collections import Counter
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
from faultprint.features.coverage import CoverageInterval, dump_coverage
from faultprint.features.minutes import compute_minutes
from faultprint.monitor.base.interfaces import TransactionBatch, TransactionSource
from faultprint.monitor.ingest.files import MinutesFileSource, Replay, ReplayClock, TransactionsFileSource
from faultprint.monitor.ingest.probe import ProbeSource
from faultprint.monitor.kafka import records, transaction_codec
from faultprint.monitor.kafka.partition import OVER_LIMIT, SOURCE, UNREADABLE
from faultprint.monitor.kafka.producer import TopicProducer
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.monitor.kafka.transaction_buffer import TransactionBuffer
from faultprint.monitor.kafka.transactions import TransactionsPartition
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS
from faultprint.units import MINUTE_US, SECOND_US

from ...features.strategies import crowd, table
from ...probe.captures import KEY
from ..conftest import Deployment, Log, Watch
from ..test_contracts import minutes_file
from ..test_probe_source import BEGIN, NODE, Recorded, talk
from ..test_probe_source import batch as batch_minutes
from .test_partition import Record, open_partition, random_sizes, read


class Topic:
    """Stands in for a cluster and its producer; every record goes to one partition."""

    def __init__(self) -> None:
        self.log: list[Record] = []

    def producer(self, options: object) -> Topic:
        return self

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def produce(self, topic: str, value: bytes, key: bytes | None, partition: int, **more: Any) -> None:
        # Written long after the event, so that no record counts as too early.
        self.log.append(Record(len(self.log), value, 2**51 // 1000))
        more["on_delivery"](None, None)

    def poll(self, seconds: float) -> None:
        pass

    def flush(self, seconds: float) -> int:
        return 0


def produced(source: TransactionSource, watermark_shift_us: int, until_us: int | None = None) -> list[Record]:
    """The records that a producer writes, until its watermark reaches `until_us`."""
    topic = Topic()

    def stop() -> bool:
        last = transaction_codec.decode(topic.log[-1].body) if topic.log else None
        return until_us is not None and isinstance(last, WatermarkRecord) and last.watermark_us >= until_us

    producer = TopicProducer(topic, "topic", "feed", Log())  # type: ignore[arg-type]
    producer.produce_transactions(source, watermark_shift_us, stop)
    return topic.log


@pytest.fixture
def recording(tmp_path: Path) -> tuple[TransactionsFileSource, pl.DataFrame]:
    """Some hours of transactions, and the minutes that batch processing makes of them."""
    frame = table(crowd(3_000, 1)).with_columns(
        (pl.col(name).to_physical() * 60_000).cast(pl.Datetime("us", "UTC"))
        for name in ("start", "provisional", "ringing", "completion")
    )
    coverage = [CoverageInterval("a", "net", 0, 7 * MINUTE_US + 5), CoverageInterval("b", "net", 30, 200 * MINUTE_US)]
    storage.write(frame, TRANSACTIONS, tmp_path / "t.parquet", {COVERAGE_KEY: dump_coverage(coverage)})
    return TransactionsFileSource(tmp_path / "t.parquet", MINUTE_US), compute_minutes(frame.lazy(), coverage)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[pl.DataFrame]:
    """The minutes that partitions build, in order."""
    tables: list[pl.DataFrame] = []
    build_minute = TransactionBuffer.build_minute

    def build_and_keep(buffer: TransactionBuffer, number: int) -> pl.DataFrame:
        tables.append(build_minute(buffer, number))
        return tables[-1]

    monkeypatch.setattr(TransactionBuffer, "build_minute", build_and_keep)
    return tables


def test_minutes_of_a_recording_equal_those_of_batch_processing(
    watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame], built: list[pl.DataFrame]
) -> None:
    source, expected = recording
    with open_partition(watch, kind=TransactionsPartition) as partition:
        read(partition, produced(source, SECOND_US), random_sizes(1))
        assert partition.monitor.counters.minutes == expected["minute"].n_unique()
        assert {reason for _, reason in partition.monitor.buffer.refused} <= {"partial"}
    assert pl.concat(built).sort("node", "minute").equals(expected.sort("node", "minute"))


def test_minutes_are_the_same_after_kills(
    watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame], built: list[pl.DataFrame]
) -> None:
    source, expected = recording
    log = produced(source, SECOND_US)
    cuts = sorted(np.random.default_rng(5).choice(len(log), 10, replace=False).tolist())
    minutes = 0
    for end in [*cuts, len(log)]:
        with open_partition(watch, kind=TransactionsPartition) as partition:
            read(partition, log[:end], random_sizes(end))
            minutes += partition.monitor.counters.minutes
    assert minutes == expected["minute"].n_unique()
    # A minute that was built but not finished before a kill is built again and is the same.
    assert pl.concat(built).unique().sort("node", "minute").equals(expected.sort("node", "minute"))


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_minutes_of_a_live_probe_equal_those_of_batch_processing(
    batch_size: int, watch: Watch, built: list[pl.DataFrame]
) -> None:
    packets = talk(1, 400, 5 * MINUTE_US)
    clock = ReplayClock()
    clock.time_us = BEGIN
    source = ProbeSource([Recorded(packets, batch_size, clock)], [NODE], "lab", KEY, MINUTE_US, SECOND_US, clock)
    log = produced(source, 0, BEGIN + 7 * MINUTE_US + SECOND_US)
    with open_partition(watch, kind=TransactionsPartition) as partition:
        read(partition, log, random_sizes(2))
    assert pl.concat(built)[:7].equals(batch_minutes(packets, BEGIN + 7 * MINUTE_US))


def test_a_recording_of_minutes_has_no_transactions(tmp_path: Path, deployment: Deployment) -> None:
    source = Replay(minutes_file(tmp_path, deployment)[0], ReplayClock(), None)
    assert isinstance(source, Replay) and isinstance(minutes_file(tmp_path, deployment)[0], MinutesFileSource)
    with pytest.raises(UsageError, match="has minutes"):
        next(source.transaction_batches())


def test_a_recording_is_replayed_at_its_speed(recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    pauses: list[float] = []
    replay = Replay(recording[0], ReplayClock(), 60.0, pauses.append)
    batches = [batch for batch in replay.transaction_batches() if batch]
    assert len(pauses) == len(batches) - 1 and set(pauses) == {1.0}


def row_of(source: TransactionsFileSource) -> dict[str, Any]:
    first = next(batch for batch in source.transaction_batches() if batch and len(batch.final))
    assert isinstance(first, TransactionBatch)
    return next(transaction_codec.rows(first.final, is_open=False))


def test_unreadable_records_are_counted(watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
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
    log = [Record(offset, records.encode(row), 2**51 // 1000) for offset, row in enumerate([good, *bad])]
    with open_partition(watch, kind=TransactionsPartition) as partition:
        partition.handle_messages(log)  # type: ignore[arg-type]
        assert partition.monitor.buffer.refused == Counter({(SOURCE, UNREADABLE): len(bad)})


def test_a_sender_without_watermarks_cannot_fill_the_memory(
    watch: Watch, recording: tuple[TransactionsFileSource, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultprint.monitor.kafka.transaction_buffer.MAX_TRANSACTIONS", 10)
    good = records.encode(row_of(recording[0]))
    with open_partition(watch, kind=TransactionsPartition) as partition:
        partition.handle_messages([Record(offset, good, 2**51 // 1000) for offset in range(25)])  # type: ignore[misc]
        assert partition.monitor.buffer.refused == Counter({(SOURCE, OVER_LIMIT): 15})


COLUMNS = [*TRANSACTIONS.names, "open", "since", "from", "until", "complete"]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(["in", "SIP", "Gm", 1])
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES))
def test_any_record_is_refused_or_fits_the_table(document: dict[str, Any]) -> None:
    try:
        record = transaction_codec.decode(records.encode(document))
    except TableError:
        return
    if isinstance(record, transaction_codec.TransactionRecord):
        storage.check_schema(transaction_codec.transactions_frame([record.row]).schema, TRANSACTIONS, "row")


def test_rows_survive_encoding_and_decoding(recording: tuple[TransactionsFileSource, pl.DataFrame]) -> None:
    for batch in recording[0].transaction_batches():
        assert batch is not None
        decoded = [
            transaction_codec.decode(records.encode(row)) for row in transaction_codec.rows(batch.final, is_open=True)
        ]
        rows = [
            record.row for record in decoded if isinstance(record, transaction_codec.TransactionRecord) and record.open
        ]
        assert len(rows) == len(decoded)
        assert batch.final.equals(transaction_codec.transactions_frame(rows))
