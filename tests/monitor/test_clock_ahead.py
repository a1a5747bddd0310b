"""A clock that was ahead: the monitor says so, is not ready, and judges on within a minute once the clock is right."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.state import persistence
from faultprint.units import DAY_US, MINUTE_US

from .conftest import Watch

NODE = "beta-1"
LATENESS_US = 2_000_000


def live(monitor: Monitor, table: pl.DataFrame, ahead_us: int = 0) -> None:
    """Give the rows minute by minute, each at its end by a clock that is `ahead_us` ahead of theirs."""
    monitor.may_put_back = True
    shifted = table.with_columns(pl.col("minute") + pl.duration(microseconds=ahead_us))
    for row in shifted.iter_slices(1):
        end_us = int(row["minute"].dt.epoch("us")[0]) + MINUTE_US
        clock = monitor.clock
        assert isinstance(clock, ReplayClock)
        clock.time_us = end_us + LATENESS_US
        monitor.process("live", Batch(row, end_us + LATENESS_US))


def judged(monitor: Monitor) -> list[int]:
    """Starts of the judged minutes, µs."""
    table = persistence.verdicts(monitor.store, MINUTE_US)
    return sorted(table["minute"].dt.epoch("us").to_list())


@pytest.mark.parametrize("ahead_us", [3 * MINUTE_US, 90 * MINUTE_US, 365 * DAY_US])
@pytest.mark.parametrize("restarted", [True, False])
def test_minutes_of_the_future_do_not_block_those_that_come(watch: Watch, ahead_us: int, restarted: bool) -> None:
    table = minutes(NODE, 130)
    starts = table["minute"].dt.epoch("us").to_list()
    clock = ReplayClock()
    events: list[str] = []
    with watch(clock=clock, log=lambda event, **_: events.append(event)) as monitor:
        live(monitor, table[:70])
        live(monitor, table[70:80], ahead_us)
        assert max(judged(monitor)) == starts[79] + ahead_us
        if not restarted:
            right_again(monitor, clock, starts[80])
            live(monitor, table[80:])
            check(monitor, events, starts, ahead_us)
    if restarted:
        events.clear()
        with watch(clock=clock, log=lambda event, **_: events.append(event)) as monitor:
            right_again(monitor, clock, starts[80])
            live(monitor, table[80:])
            check(monitor, events, starts, ahead_us)


def right_again(monitor: Monitor, clock: ReplayClock, now_us: int) -> None:
    clock.time_us = now_us + LATENESS_US
    monitor.may_put_back = True
    monitor.process("live", Batch(None, None))
    assert not monitor.liveness.ready


def check(monitor: Monitor, events: list[str], starts: list[int], ahead_us: int) -> None:
    assert events.count("clock_was_ahead") == 1
    assert monitor.liveness.ready
    found = judged(monitor)
    assert len(found) == len(set(found)) and max(found) == starts[-1]
    # The first minutes after the clock was right again, all of them, once.
    assert [start for start in found if start >= starts[80]] == starts[80:]
    # The state forgets verdicts after a day, by the clock that it had then.
    assert ahead_us >= DAY_US or [start for start in found if start < starts[70]] == starts[:70]
    assert not monitor.buffer.refused["live", "late"]


def test_a_step_of_less_than_a_minute_judges_nothing_twice(watch: Watch) -> None:
    table = minutes(NODE, 70)
    clock = ReplayClock()
    with watch(clock=clock) as monitor:
        live(monitor, table)
        before = judged(monitor)
        clock.time_us = monitor.closed_us - 20_000_000
        monitor.process("live", Batch(None, None))
        assert judged(monitor) == before and not monitor.liveness.ready
        clock.time_us = monitor.closed_us + MINUTE_US
        monitor.process("live", Batch(None, None))
        assert monitor.liveness.ready
