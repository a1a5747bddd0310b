"""A partition gives the same verdicts however its log is read, and wherever reading was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.synthetic import minutes

from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.minutes import MinutesPartition
from faultprint.monitor.kafka.partition import OVER_LIMIT, SOURCE, UNREADABLE, Partition
from faultprint.monitor.kafka.position import FACT
from faultprint.monitor.state import persistence
from faultprint.units import MINUTE_US

from ..conftest import Log, Watch, feed


@dataclass(frozen=True)
class Record:
    """A record as the client library gives it."""

    number: int
    body: bytes | None
    time_ms: int
    sender: str = "feed"

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes | None:
        return self.body

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time_ms

    def headers(self) -> list[tuple[str, bytes]]:
        return [(records.SENDER_HEADER, self.sender.encode())] if self.sender else []


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.concat(
        [minutes("beta-1", 150, [(90, 120, "bye-slow")], seed=2), minutes("beta-2", 150, gaps=range(30, 35), seed=3)]
    )


def log_of(table: pl.DataFrame, *, watermarks: bool = True, begin: int = 0) -> list[Record]:
    """The records of a table as a producer writes them, five seconds after each minute."""
    log: list[Record] = []
    for (minute,), part in table.sort("minute", "node").group_by("minute", maintain_order=True):
        end_us = int(minute.timestamp() * 1e6) + MINUTE_US  # type: ignore[attr-defined]
        bodies = [records.encode(row) for row in records.rows(part)]
        bodies += [records.encode_watermark(end_us + 1_000_000)] * watermarks
        first = begin + len(log)
        log += [Record(first + index, body, end_us // 1000 + 5000) for index, body in enumerate(bodies)]
    return log


@contextmanager
def open_partition(
    watch: Watch, log: Log | None = None, kind: type[Partition] = MinutesPartition
) -> Iterator[Partition]:
    """A partition on the state file of the test. The clock of the machine is far in the future."""
    machine = ReplayClock()
    machine.time_us = 2**60
    clock = LogClock(machine)
    with watch(log, clock) as monitor:
        yield kind(0, monitor, clock, Log() if log is None else log, lambda: None)


def read(partition: Partition, log: Sequence[Record], sizes: Iterator[int]) -> None:
    """Read from the resume offset of the partition on, in batches of these sizes."""
    rest = [record for record in log if record.number >= (partition.resume_offset or 0)]
    while rest:
        size = next(sizes)
        partition.handle_messages(rest[:size])  # type: ignore[arg-type]
        partition.tick()
        rest = rest[size:]


def random_sizes(seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1, 40))


def verdicts(partition: Partition) -> pl.DataFrame:
    return persistence.verdicts(partition.monitor.store, MINUTE_US)


@pytest.fixture
def expected(watch: Watch, frame: pl.DataFrame, tmp_path: Path) -> pl.DataFrame:
    """The verdicts of a monitor without Kafka."""
    with watch() as monitor:
        feed(monitor, frame)
        found = persistence.verdicts(monitor.store, MINUTE_US)
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    (tmp_path / "lines.jsonl").unlink()
    return found


@pytest.mark.parametrize("watermarks", [True, False])
def test_batches_of_any_size_give_the_same_verdicts(
    watermarks: bool, watch: Watch, frame: pl.DataFrame, expected: pl.DataFrame
) -> None:
    with open_partition(watch) as partition:
        read(partition, log_of(frame, watermarks=watermarks), random_sizes(1))
        found = verdicts(partition)
    last = found["minute"].max()
    # Without watermarks a minute waits for the next one's first row.
    assert found.equals(expected.filter(pl.col("minute") <= last)) and len(expected) - len(found) <= (
        0 if watermarks else 2
    )


def test_reading_goes_on_after_kills_without_loss_or_repetition(
    watch: Watch, frame: pl.DataFrame, expected: pl.DataFrame, tmp_path: Path
) -> None:
    log, rng = log_of(frame), np.random.default_rng(7)
    # Rows that arrive before the watermark of an earlier minute wait in memory, so they must be read again.
    order = sorted(range(len(log)), key=lambda number: number + 2 * (b"complete" in (log[number].body or b"")))
    log = [Record(number, log[source].body, log[number].time_ms) for number, source in enumerate(order)]
    events = Log()
    for end in [*sorted(rng.choice(len(log), 12, replace=False).tolist()), len(log)]:
        with open_partition(watch, events) as partition:
            read(partition, log[:end], random_sizes(end))
            if end == len(log):
                partition.handle_end(end)
                found = verdicts(partition)
                assert all(courier.drain(10) for courier in partition.monitor.workers)
                assert sum(partition.monitor.buffer.refused.values()) == 0
    assert found.equals(expected)
    assert "clock_moved_back" not in events.events()
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert lines and lines[0]["change"] == "onset" and len({line["event_id"] for line in lines}) == len(lines)


def test_a_log_that_was_created_again_is_read_from_its_start(
    watch: Watch, frame: pl.DataFrame, expected: pl.DataFrame
) -> None:
    first = frame["minute"].min()
    early = pl.col("minute") < first + pl.duration(minutes=100)  # type: ignore[operator]
    with open_partition(watch) as partition:
        read(partition, log_of(frame.filter(early)), random_sizes(1))
    with open_partition(watch) as partition:
        later = log_of(frame.filter(~early))
        partition.handle_messages(later[:4])  # type: ignore[arg-type]
        partition.handle_end(4)
        partition.handle_messages(later[4:])  # type: ignore[arg-type]
        assert verdicts(partition).equals(expected)


UNREADABLE_BODIES = [
    None,
    b"",
    b"\xff\xfe",
    b"[" * 50_000,
    b"[1]",
    b"{}",
    b'{"complete": -1}',
    b'{"complete": 1e3}',
    b'{"node":"a","network":"n","minute":0,"observed":1,"no.such":1}',
    b'{"node":"a","network":"n","minute":0,"observed":1,"in.bye.delay_median":-1}',
    b'{"node":"a","network":"n","minute":0,"observed":1,"in.bye.delay_median":NaN}',
    b'{"node":"a","network":"n","minute":0,"observed":1,"in.bye.delay_median":1e99}',
    b'{"node":"a","network":"n","minute":1,"observed":1}',
    b'{"node":"a","network":"n","minute":0,"observed":0}',
    b'{"node":"a\\ud800","network":"n","minute":0,"observed":1}',
    b'{"node":"","network":"n","minute":0,"observed":1}',
    b'{"node":"a","network":7,"minute":0,"observed":1}',
    b'{"node":"a","network":"n","minute":true,"observed":1}',
    b'{"node":"a","network":"n","minute":60000000,"observed":"1"}',
    b'{"node":"' + b"a" * 70_000 + b'","network":"n","minute":0,"observed":1}',
]


def test_unreadable_records_are_counted_skipped_and_logged_once(
    watch: Watch, frame: pl.DataFrame, expected: pl.DataFrame
) -> None:
    log, events = log_of(frame), Log()
    mixed = [*log[:50], *(Record(0, body, log[50].time_ms) for body in UNREADABLE_BODIES), *log[50:]]
    mixed = [Record(number, record.body, record.time_ms) for number, record in enumerate(mixed)]
    with open_partition(watch, events) as partition:
        read(partition, mixed, random_sizes(3))
        assert partition.monitor.buffer.refused == {(SOURCE, UNREADABLE): len(UNREADABLE_BODIES)}
        assert verdicts(partition).equals(expected)
    assert events.events().count("record_unreadable") == 1


def test_a_partition_that_lags_does_not_use_the_clock_of_the_machine(watch: Watch, frame: pl.DataFrame) -> None:
    """The clock of the machine is far ahead. By it, every row would be late."""
    log = log_of(frame)
    with open_partition(watch) as partition:
        for record in log:
            partition.handle_messages([record])  # type: ignore[list-item]
            partition.tick()
        assert sum(partition.monitor.buffer.refused.values()) == 0
        before = partition.monitor.closed_us
        partition.tick()
        assert partition.monitor.closed_us == before
        partition.handle_end(len(log))  # by the clock of the machine, no record arrived for months
        partition.tick()
        assert partition.monitor.closed_us > before + 1000 * MINUTE_US
        now_us = partition.clock.now_us()
        partition.handle_messages([Record(len(log), log[-1].body, log[-1].time_ms)])  # type: ignore[list-item]
        assert partition.clock.catching_up and partition.clock.now_us() == now_us  # it never goes back
    with open_partition(watch) as partition:
        assert partition.clock.now_us() == now_us


def test_endless_sender_names_cannot_fill_the_memory(watch: Watch, frame: pl.DataFrame) -> None:
    log = log_of(frame)
    with open_partition(watch) as partition:
        partition.handle_messages(log[:3])  # type: ignore[arg-type]
        watermarks = [Record(3 + n, records.encode_watermark(1), log[3].time_ms, f"s{n}") for n in range(1100)]
        partition.handle_messages(watermarks)  # type: ignore[arg-type]
        assert len(partition.monitor.buffer.watermarks) == 1000
        assert partition.monitor.buffer.refused == {(SOURCE, OVER_LIMIT): 101}


def test_a_state_that_was_changed_by_hand_is_refused(watch: Watch, frame: pl.DataFrame) -> None:
    with open_partition(watch) as partition:
        read(partition, log_of(frame)[:40], random_sizes(1))
        partition.monitor.store.save_facts({FACT: '{"anew": "x"}'})
    with pytest.raises(Exception, match="altered outside Faultprint"), open_partition(watch):
        pass
