"""What the monitor says of itself, for Prometheus: numbers read from it when they are asked for.

No label is a node's name: labels are sources, reasons, conditions, changes and sinks, which are few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from faultprint import __version__
from faultprint.monitor.deliver.delivery import Deliveries
from faultprint.monitor.ingest.watermark import REFUSED
from faultprint.monitor.kafka.group import Group
from faultprint.tables import UNKNOWN

if TYPE_CHECKING:
    from faultprint.monitor.monitor import Monitor

Values = Mapping[Any, float]
"""Label values, in the order of the labels, → number."""
Join = Callable[[Iterable[float]], float]


class MetricKind(StrEnum):
    """A gauge goes up and down; a counter only up, and its name ends with _total."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: its name without the prefix, what it means, how to read it, its labels, and how to make one number of
    several monitors'."""

    kind: MetricKind
    name: str
    meaning: str
    read: Callable[[Any], Values]
    labels: tuple[str, ...] = ()
    join: Join = sum

    @property
    def exported(self) -> str:
        """The name that Prometheus knows it by."""
        return f"faultprint_{self.name}{'_total' if self.kind is MetricKind.COUNTER else ''}"

    def joined(self, several: Iterable[Values]) -> Values:
        """One number for each set of labels."""
        found: dict[Any, list[float]] = {}
        for values in several:
            for labels, number in values.items():
                found.setdefault(labels, []).append(number)
        return {labels: self.join(numbers) for labels, numbers in found.items()}

    def family(self, values: Values) -> Metric:
        """As Prometheus has it."""
        make = GaugeMetricFamily if self.kind is MetricKind.GAUGE else CounterMetricFamily
        found = make(f"faultprint_{self.name}", self.meaning, labels=self.labels)
        for labels, number in values.items():
            found.add_metric(labels, float(number))
        return found


def _one(
    name: str,
    meaning: str,
    read: Callable[[Monitor], float | None],
    kind: MetricKind = MetricKind.GAUGE,
    join: Join = sum,
) -> Measure:
    """A metric without labels; None: there is no number yet."""

    def values(monitor: Monitor) -> Values:
        number = read(monitor)
        return {} if number is None else {(): number}

    return Measure(kind, name, meaning, values, join=join)


def _sink(kind: MetricKind, name: str, meaning: str, read: Callable[[Deliveries], float], join: Join = sum) -> Measure:
    """A metric of each sink."""

    def values(monitor: Monitor) -> Values:
        return {(one.sink.name,): read(one.counts) for one in monitor.workers}

    return Measure(kind, name, meaning, values, ("sink",), join)


def _open(monitor: Monitor) -> Values:
    none = dict.fromkeys((*monitor.scorer.matcher.conditions, UNKNOWN), 0)
    found = Counter(incident.condition for incident in list(monitor.incidents.open.values()))
    return {(condition,): count for condition, count in (none | found).items()}


def _refused(monitor: Monitor) -> Values:
    # Each reason from the start, so that the first refusal is an increase.
    none = {(source, reason): 0 for source in monitor.buffer.complete() for reason in REFUSED}
    return none | monitor.buffer.refused.copy()


_OF_THE_PROCESS: Final = (
    Measure(MetricKind.GAUGE, "info", "1, with the version.", lambda m: {(__version__,): 1}, ("version",)),
    _one("ready", "1 while the loop turns, as /readyz says.", lambda m: m.liveness.ready),
)
_OF_EACH: Final = (
    _one("state_failing", "1 while the state cannot be written.", lambda m: m.persistence.insistence.failing, join=max),
    _one("nodes", "Nodes known.", lambda m: len(m.nodes)),
    _one("nodes_ready", "Nodes that have their normal; the others are warming up.", lambda m: m.nodes["ready"].sum()),
    _one(
        "nodes_doubtful",
        "Nodes of which what was last to be their normal looks like a fault.",
        lambda m: m.nodes["doubtful"].sum(),
    ),
    _one("nodes_silent", "Nodes that nobody listens to.", lambda m: m.counters.silent),
    Measure(MetricKind.GAUGE, "incidents_open", "Incidents that are open.", _open, ("condition",)),
    _one(
        "last_minute_timestamp_seconds",
        "End of the last finished minute.",
        lambda m: m.closed_us / 1e6 or None,
        join=min,
    ),
    _one(
        "last_minute_duration_seconds",
        "Time that it took to judge and keep.",
        lambda m: m.counters.seconds_of_last,
        join=max,
    ),
    Measure(
        MetricKind.GAUGE,
        "source_complete_timestamp_seconds",
        "Up to when a source is complete.",
        lambda m: {(source,): us / 1e6 for source, us in m.gate.complete().items()},
        ("source",),
        min,
    ),
    _one("rings_bytes", "Memory of the nodes' recent minutes.", lambda m: m.window_buffer_bytes),
    _one("intervals", "Finished minutes.", lambda m: m.counters.minutes, MetricKind.COUNTER),
    _one(
        "library_errors",
        "Times that the library could not be read.",
        lambda m: m.counters.library_errors,
        MetricKind.COUNTER,
    ),
    Measure(
        MetricKind.COUNTER,
        "verdicts",
        "Verdicts given.",
        lambda m: {(condition,): count for condition, count in m.tallies.verdicts.copy().items()},
        ("condition",),
    ),
    Measure(
        MetricKind.COUNTER,
        "incident_changes",
        "Changes of incidents.",
        lambda m: {(change,): count for change, count in m.tallies.changes.copy().items()},
        ("change",),
    ),
    Measure(MetricKind.COUNTER, "rows_refused", "Rows not taken.", _refused, ("source", "reason")),
    _sink(MetricKind.GAUGE, "messages_waiting", "Messages in the outbox.", lambda one: one.waiting),
    _sink(
        MetricKind.GAUGE,
        "oldest_message_tried_seconds",
        "How long the message whose turn it is has been tried; 0: none waits.",
        lambda one: one.tried_seconds,
        max,
    ),
    _sink(MetricKind.GAUGE, "sink_away", "1 while a sink does not receive.", lambda one: one.away, max),
    _sink(MetricKind.COUNTER, "messages_delivered", "Messages received by the sink.", lambda one: one.delivered),
    _sink(MetricKind.COUNTER, "messages_retried", "Attempts that are to be repeated.", lambda one: one.retried),
    _sink(
        MetricKind.COUNTER,
        "messages_rejected",
        "Messages put aside, for the sink rejects them.",
        lambda one: one.rejected,
    ),
    _sink(
        MetricKind.COUNTER,
        "messages_overflowed",
        "Messages put aside, for too many waited.",
        lambda one: one.overflowed,
    ),
)
METRICS: Final = (*_OF_THE_PROCESS, *_OF_EACH)
"""All metrics of the monitor, in order; those of the process (`process_…`) come on top."""
PARTITIONS: Final = Measure(
    MetricKind.GAUGE,
    "kafka_partitions",
    "Partitions held, of a monitor with [kafka].",
    lambda group: {(): len(group.monitors)},
)


class MonitorCollector(Collector):
    """The metrics of a monitor, or of all monitors of a group's member as if they were one; what those that left have counted
    stays counted."""

    def __init__(self, watched: Monitor | Group) -> None:
        self._watched = watched
        self._past: dict[str, Values] = {}
        if isinstance(watched, Group):
            watched.leaving.append(self._leave)

    def collect(self) -> Iterator[Metric]:
        watched = self._watched
        yield from (measure.family(measure.read(watched)) for measure in _OF_THE_PROCESS)
        if isinstance(watched, Group):
            yield PARTITIONS.family(PARTITIONS.read(watched))
        monitors = watched.monitors if isinstance(watched, Group) else [watched]
        yield from (measure.family(self._whole(measure, monitors)) for measure in _OF_EACH)

    def _leave(self, monitor: Monitor) -> None:
        for measure in _OF_EACH:
            if measure.kind is MetricKind.COUNTER:
                self._past[measure.name] = self._whole(measure, [monitor])

    def _whole(self, measure: Measure, monitors: Iterable[Monitor]) -> Values:
        return measure.joined([self._past.get(measure.name, {}), *map(measure.read, monitors)])


def exposition(collector: Collector) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    return generate_latest(registry)
