"""What the monitor says of itself, for Prometheus: numbers read from it when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from faultprint.monitor.watch import Monitor


class MonitorCollector(Collector):
    """The metrics of one monitor. Labels are sources, reasons, conditions, changes and sinks: few; nodes are none."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        monitor, tallies = self._monitor, self._monitor.tallies
        yield _gauge("nodes", "Nodes known.", len(monitor.nodes))
        yield _gauge("nodes_ready", "Nodes that have their normal.", int(monitor.nodes["ready"].sum()))
        yield _gauge("nodes_silent", "Nodes that nobody listens to.", tallies.silent)
        yield _gauge("incidents_open", "Incidents that are open.", len(monitor.incidents.open))
        yield _gauge("last_minute_timestamp_seconds", "End of the last finished minute.", tallies.last_minute_us / 1e6)
        yield _gauge("last_minute_duration_seconds", "Time that it took to judge and keep.", tallies.seconds_of_last)
        yield _gauge("rings_bytes", "Memory of the nodes' recent minutes.", monitor.rings_bytes)
        yield _counter("minutes", "Finished minutes.", {(): tallies.minutes}, ())
        yield _counter("library_errors", "Times that the library could not be read.", {(): tallies.library_errors}, ())
        verdicts = {(condition,): count for condition, count in tallies.verdicts.copy().items()}
        yield _counter("verdicts", "Verdicts given.", verdicts, ("condition",))
        changes = {(change,): count for change, count in tallies.changes.copy().items()}
        yield _counter("incident_changes", "Changes of incidents.", changes, ("change",))
        yield _counter("rows_refused", "Rows not taken.", monitor.gate.refused.copy(), ("source", "reason"))
        yield from self._sinks()

    def _sinks(self) -> Iterator[Metric]:
        counts = [(courier.sink.name, courier.counts) for courier in self._monitor.couriers]
        waiting = GaugeMetricFamily("faultprint_messages_waiting", "Messages in the outbox.", labels=("sink",))
        away = GaugeMetricFamily("faultprint_sink_away", "1 while a sink does not receive.", labels=("sink",))
        for name, count in counts:
            waiting.add_metric((name,), count.waiting)
            away.add_metric((name,), int(count.away))
        yield from (waiting, away)
        for fate in ("delivered", "retried", "rejected", "overflowed"):
            values = {(name,): getattr(count, fate) for name, count in counts}
            yield _counter(f"messages_{fate}", f"Messages {fate}.", values, ("sink",))


def exposition(monitor: Monitor) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(MonitorCollector(monitor))
    return generate_latest(registry)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"faultprint_{name}", meaning, value=value)


def _counter(name: str, meaning: str, values: Mapping[Any, int], labels: tuple[str, ...]) -> Metric:
    """`values`: label values, in the order of `labels`, → count."""
    family = CounterMetricFamily(f"faultprint_{name}", meaning, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family
