"""The metrics of a group member: its partitions count as one monitor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import SystemClock
from faultprint.monitor.config.sinks import FileSinkSettings
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.group import GroupMember
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.serve.metrics import MonitorCollector, exposition

from ..conftest import Log, Watch, feed


class FakeSubscription:
    """A subscription without brokers. In each turn of the member's loop it calls the next of `steps`."""

    connected = True

    def __init__(self, steps: list[Callable[[FakeSubscription], None]]) -> None:
        self.steps = steps
        self.messages: dict[int, Any] = {}

    def join(self, on_assigned: Any, on_revoked: Any, on_lost: Any) -> None:
        self.on_assigned, self.on_lost = on_assigned, on_lost

    def poll(self, seconds: float) -> None:
        self.steps.pop(0)(self)

    def committed(self, number: int) -> None:
        """The group has no offset."""

    def partitions(self) -> int:
        return 2

    def start(self, number: int, offset: int | None) -> None:
        """There is nothing to read."""

    release = commit = leave = lambda self, *_: None


class FakePartition:
    """A partition that does nothing with its monitor."""

    resume_offset = None
    processed = (0, 0)
    position = SimpleNamespace(next_offset=None)

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    start_reading = handle_messages = tick = close = stop_delivery = lambda self, *_: None


def read_metrics(collector: MonitorCollector) -> dict[str, float]:
    """Name and label values → number."""
    families = text_string_to_metric_families(exposition(collector).decode())
    return {
        " ".join((sample.name.removeprefix("faultprint_"), *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_partitions_count_as_one_monitor_and_released_ones_stay_counted(watch: Watch, tmp_path: Path) -> None:
    first, second = (
        {"state": tmp_path / name, "sink": (FileSinkSettings("lines", tmp_path / f"{name}.jsonl"),)}
        for name in ("a", "b")
    )
    with watch(**first) as one, watch(**second) as two:
        for number, monitor in enumerate((one, two)):
            feed(monitor, minutes(f"beta-{number}", 70 + number, seed=number))
            assert all(worker.drain(10) for worker in monitor.workers)
            monitor.workers[0].counts.unreachable = True

        def check_two(subscription: FakeSubscription) -> None:
            found = read_metrics(collector)
            assert (found["kafka_partitions"], found["ready"], found["nodes"]) == (2, 1, 2)
            assert found["intervals_processed_total"] == 141
            assert (found["build_info 0.1.0"], found["sink_up lines"]) == (1, 0)
            assert found["last_minute_timestamp_seconds"] == one.closed_us / 1e6
            subscription.on_lost([0])

        def check_one(subscription: FakeSubscription) -> None:
            found = read_metrics(collector)
            assert (found["kafka_partitions"], found["nodes"], found["intervals_processed_total"]) == (1, 1, 141)
            assert found["last_minute_timestamp_seconds"] == two.closed_us / 1e6
            subscription.on_lost([1])

        subscription: Any = FakeSubscription(
            [
                lambda subscription: subscription.on_assigned([0, 1]),
                lambda _: None,  # the first partition is acquired before this turn, the second before the next
                check_two,
                check_one,
            ]
        )
        states: Any = SimpleNamespace(acquire=lambda *_: None)

        def open_partition(number: int, clock: LogClock) -> Any:
            return FakePartition((one, two)[number])

        log = Log()
        member = GroupMember(subscription, states, open_partition, 10, SystemClock(), log)
        collector = MonitorCollector(member)
        found = read_metrics(collector)
        assert (found["kafka_partitions"], found["ready"]) == (0, 0) and "nodes" not in found
        member.run(lambda: not subscription.steps)
    found = read_metrics(collector)
    assert found["intervals_processed_total"] == 141 and "nodes" not in found
    assert log.events() == ["partition_acquired"] * 2 + ["partition_released"] * 2
