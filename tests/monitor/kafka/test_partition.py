"""A partition's log is judged the same, however it is read, and wherever reading was broken off."""

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
from faultprint.monitor.kafka.partition import SOURCE, UNREADABLE, Partition
from faultprint.monitor.kafka.position import FACT
from faultprint.monitor.state import persistence

from ..conftest import Log, Watch, feed

MINUTE = 60_000_000


@dataclass(frozen=True)
class Record:
    """A record as the client library gives it."""

    place: int
    body: bytes | None
    time_ms: int
    sender: str = "feed"

    def offset(self) -> int:
        return self.place

    def value(self) -> bytes | None:
        return self.body

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time_ms

    def headers(self) -> list[tuple[str, bytes]]:
        return [(records.ORIGIN, self.sender.encode())] if self.sender else []


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.concat(
        [minutes("beta-1", 150, [(90, 120, "bye-slow")], seed=2), minutes("beta-2", 150, gaps=range(30, 35), seed=3)]
    )


def log_of(frame: pl.DataFrame, *, marks: bool = True, begin: int = 0) -> list[Record]:
    """The records of a table as a feed would write them, five seconds after each minute."""
    found: list[Record] = []
    for (minute,), part in frame.sort("minute", "node").group_by("minute", maintain_order=True):
        end_us = int(minute.timestamp() * 1e6) + MINUTE  # type: ignore[attr-defined]
        bodies = [records.encode(row) for row in records.rows(part)]
        bodies += [records.encode_mark(end_us + 1_000_000)] * marks
        found += [Record(begin + len(found) + place, body, end_us // 1000 + 5000) for place, body in enumerate(bodies)]
    return found


@contextmanager
def reading(
    watch: Watch, log: Log | None = None, wall: ReplayClock | None = None, kind: type[Partition] = MinutesPartition
) -> Iterator[Partition]:
    """A partition on the test's state file."""
    wall = wall or ReplayClock()
    wall.time_us = wall.time_us or 2**60
    clock = LogClock(wall)
    with watch(log, clock) as monitor:
        yield kind(0, monitor, clock, Log() if log is None else log, lambda: None)


def read(partition: Partition, log: Sequence[Record], sizes: Iterator[int]) -> None:
    """From where the partition wants to begin, in batches of those sizes."""
    rest = [record for record in log if record.place >= (partition.kept or 0)]
    while rest:
        size = next(sizes)
        partition.take(rest[:size])  # type: ignore[arg-type]
        partition.tick()
        rest = rest[size:]


def random_sizes(seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1, 40))


def verdicts(partition: Partition) -> pl.DataFrame:
    return persistence.verdicts(partition.monitor.store, MINUTE)


@pytest.fixture
def alone(watch: Watch, frame: pl.DataFrame, tmp_path: Path) -> pl.DataFrame:
    """What a monitor says that hears all by itself."""
    with watch() as monitor:
        feed(monitor, frame)
        found = persistence.verdicts(monitor.store, MINUTE)
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    (tmp_path / "lines.jsonl").unlink()
    return found


@pytest.mark.parametrize("marks", [True, False])
def test_batches_of_any_size_give_the_same(marks: bool, watch: Watch, frame: pl.DataFrame, alone: pl.DataFrame) -> None:
    with reading(watch) as one:
        read(one, log_of(frame, marks=marks), random_sizes(1))
        found = verdicts(one)
    last = found["minute"].max()
    # Without marks a minute waits for the next one's first row.
    assert found.equals(alone.filter(pl.col("minute") <= last)) and len(alone) - len(found) <= (0 if marks else 2)


def test_reading_goes_on_after_kills_without_loss_or_repetition(
    watch: Watch, frame: pl.DataFrame, alone: pl.DataFrame, tmp_path: Path
) -> None:
    log, rng = log_of(frame), np.random.default_rng(7)
    # Rows that come before their time wait in memory, and so must be read again.
    order = sorted(range(len(log)), key=lambda place: place + 2 * (b"complete" in (log[place].body or b"")))
    log = [Record(place, log[at].body, log[place].time_ms) for place, at in enumerate(order)]
    said = Log()
    for end in [*sorted(rng.choice(len(log), 12, replace=False).tolist()), len(log)]:
        with reading(watch, said) as one:
            read(one, log[:end], random_sizes(end))
            if end == len(log):
                one.reached_end(end)
                found = verdicts(one)
                assert all(courier.drain(10) for courier in one.monitor.workers)
                assert sum(one.monitor.buffer.refused.values()) == 0
    assert found.equals(alone)
    assert "clock put back" not in said.events()
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert lines and lines[0]["change"] == "onset" and len({line["event_id"] for line in lines}) == len(lines)


def test_a_log_that_was_begun_anew_is_read_from_its_start(
    watch: Watch, frame: pl.DataFrame, alone: pl.DataFrame
) -> None:
    first = frame["minute"].min()
    early = pl.col("minute") < first + pl.duration(minutes=100)  # type: ignore[operator]
    with reading(watch) as one:
        read(one, log_of(frame.filter(early)), random_sizes(1))
    with reading(watch) as one:
        later = log_of(frame.filter(~early))
        one.take(later[:4])  # type: ignore[arg-type]
        one.reached_end(4)
        one.take(later[4:])  # type: ignore[arg-type]
        assert verdicts(one).equals(alone)


POISON = [
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


def test_poison_is_counted_skipped_and_said_once(watch: Watch, frame: pl.DataFrame, alone: pl.DataFrame) -> None:
    log, said = log_of(frame), Log()
    mixed = [*log[:50], *(Record(0, body, log[50].time_ms) for body in POISON), *log[50:]]
    mixed = [Record(place, one.body, one.time_ms) for place, one in enumerate(mixed)]
    with reading(watch, said) as one:
        read(one, mixed, random_sizes(3))
        assert one.monitor.buffer.refused == {(SOURCE, UNREADABLE): len(POISON)}
        assert verdicts(one).equals(alone)
    assert said.events().count("record unreadable") == 1


def test_a_lagging_partition_is_not_hurried_by_the_machines_clock(watch: Watch, frame: pl.DataFrame) -> None:
    """The wall clock is months ahead, and patience two minutes: by it everything would be late."""
    log = log_of(frame)
    with reading(watch) as one:
        for record in log:
            one.take([record])  # type: ignore[list-item]
            one.tick()
        assert sum(one.monitor.buffer.refused.values()) == 0
        before = one.monitor.closed_us
        one.tick()
        assert one.monitor.closed_us == before
        one.reached_end(len(log))  # now nobody has spoken for months
        one.tick()
        assert one.monitor.closed_us > before + 1000 * MINUTE
        now_us = one.clock.now_us()
        one.take([Record(len(log), log[-1].body, log[-1].time_ms)])  # type: ignore[list-item]
        assert one.clock.behind and one.clock.now_us() == now_us  # it never goes back
    with reading(watch) as one:
        assert one.clock.now_us() == now_us


def test_a_sender_without_end_of_names_fills_no_memory(watch: Watch, frame: pl.DataFrame) -> None:
    log = log_of(frame)
    with reading(watch) as one:
        one.take(log[:3])  # type: ignore[arg-type]
        marks = [Record(3 + n, records.encode_mark(1), log[3].time_ms, f"s{n}") for n in range(1100)]
        one.take(marks)  # type: ignore[arg-type]
        assert len(one.monitor.buffer.promises) == 1000
        assert one.monitor.buffer.refused == {(SOURCE, "crowded"): 101}


def test_a_state_that_was_altered_is_refused(watch: Watch, frame: pl.DataFrame) -> None:
    with reading(watch) as one:
        read(one, log_of(frame)[:40], random_sizes(1))
        one.monitor.store.note({FACT: '{"anew": "x"}'})
    with pytest.raises(Exception, match="it was altered"), reading(watch):
        pass
