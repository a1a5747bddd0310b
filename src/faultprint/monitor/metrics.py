"""What the monitor says of itself, for Prometheus: numbers read from it when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from faultprint.monitor.kafka.group import Group

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


class GroupCollector(Collector):
    """The metrics of all monitors of a process as if they were one; what those that left have counted stays counted."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._past: list[Metric] = []
        group.leaving.append(self._leave)

    def collect(self) -> Iterator[Metric]:
        monitors = self._group.monitors
        yield _gauge("kafka_partitions", "Partitions held.", len(monitors))
        yield from _joined([*self._past, *(metric for one in monitors for metric in MonitorCollector(one).collect())])

    def _leave(self, monitor: Monitor) -> None:
        counted = [metric for metric in MonitorCollector(monitor).collect() if metric.type == "counter"]
        self._past = _joined([*self._past, *counted])


_JOINED: Final[Mapping[str, Callable[[Iterable[float]], float]]] = {
    "faultprint_last_minute_timestamp_seconds": min,
    "faultprint_last_minute_duration_seconds": max,
    "faultprint_sink_away": max,
}
"""How one value is made of several monitors' where it is not their sum."""


def _joined(metrics: Iterable[Metric]) -> list[Metric]:
    """One metric of each name, with one sample of each set of labels."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
    for metric in metrics:
        families.setdefault(metric.name, metric)
        for sample in metric.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            values.setdefault(metric.name, {}).setdefault(key, []).append(sample.value)
    found = []
    for name, family in families.items():
        one = Metric(name, family.documentation, family.type)
        for (sample_name, labels), several in values.get(name, {}).items():
            one.add_sample(sample_name, dict(labels), _JOINED.get(name, sum)(several))
        found.append(one)
    return found


def collector(watched: Monitor | Group) -> Collector:
    """What collects the metrics of a monitor, or of a member of a group with all of its monitors."""
    return GroupCollector(watched) if isinstance(watched, Group) else MonitorCollector(watched)


def exposition(collector: Collector) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"faultprint_{name}", meaning, value=value)


def _counter(name: str, meaning: str, values: Mapping[Any, int], labels: tuple[str, ...]) -> Metric:
    """`values`: label values, in the order of `labels`, → count."""
    family = CounterMetricFamily(f"faultprint_{name}", meaning, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family
