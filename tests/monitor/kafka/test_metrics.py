"""A member's metrics: those of its partitions as one monitor's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import SystemClock
from faultprint.monitor.config.settings import SinkKind, SinkSettings
from faultprint.monitor.kafka.group import Group
from faultprint.monitor.serve.metrics import MonitorCollector, exposition

from ..conftest import Log, Watch, feed


def shown(collector: MonitorCollector) -> dict[str, float]:
    """Name and labels' values → number."""
    families = text_string_to_metric_families(exposition(collector).decode())
    return {
        " ".join((sample.name.removeprefix("faultprint_"), *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_partitions_are_one_monitor_and_what_left_stays_counted(watch: Watch, tmp_path: Path) -> None:
    nobody: Any = None
    group = Group(nobody, nobody, nobody, 10, SystemClock(), Log())
    collector = MonitorCollector(group)
    found = shown(collector)
    assert (found["kafka_partitions"], found["ready"]) == (0, 0) and "nodes" not in found
    first, second = (
        {"state": tmp_path / name, "sink": (SinkSettings("lines", SinkKind.FILE, tmp_path / f"{name}.jsonl"),)}
        for name in ("a", "b")
    )
    with watch(**first) as one, watch(**second) as two:
        for number, monitor in enumerate((one, two)):
            feed(monitor, minutes(f"beta-{number}", 70 + number, seed=number))
            assert all(courier.drain(10) for courier in monitor.workers)
            monitor.workers[0].counts.away = True
            partition: Any = SimpleNamespace(monitor=monitor, close=lambda: None)
            group._held[number] = partition
        group._subscription = SimpleNamespace(forget=lambda number: None)  # type: ignore[assignment]
        group.liveness.beat()
        found = shown(collector)
        assert (found["kafka_partitions"], found["ready"], found["nodes"], found["intervals_total"]) == (2, 1, 2, 141)
        assert (found["info 0.1.0"], found["sink_away lines"]) == (1, 1)
        assert found["last_minute_timestamp_seconds"] == one.closed_us / 1e6
        group._lost([0])
        found = shown(collector)
        assert (found["kafka_partitions"], found["nodes"], found["intervals_total"]) == (1, 1, 141)
        assert found["last_minute_timestamp_seconds"] == two.closed_us / 1e6
        group._lost([1])
    found = shown(collector)
    assert found["intervals_total"] == 141 and "nodes" not in found
