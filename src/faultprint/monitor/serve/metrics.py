"""Metrics of the monitor for Prometheus, read when they are scraped.

No label is a node name, because there may be thousands. Labels are sources, reasons, conditions, changes, sinks and HEP
agents. A source keeps a bounded number of agents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from faultprint.monitor.base.interfaces import AgentReport
from faultprint.monitor.deliver.delivery import DeliveryCounts
from faultprint.monitor.ingest.watermark import REFUSAL_REASONS
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.serve.observed import Observed
from faultprint.tables import UNKNOWN
from faultprint.version import __version__

Values = Mapping[Any, float]
"""Label values, in the order of the labels, → number."""
Aggregate = Callable[[Iterable[float]], float]


class MetricKind(StrEnum):
    """A gauge goes up and down. A counter only goes up, and its name ends with _total."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    `name`: without prefix and suffix; `read`: reads it from a monitor (or Observed); `aggregate`: combines the numbers of
    several monitors.
    """

    kind: MetricKind
    name: str
    meaning: str
    read: Callable[[Any], Values]
    labels: tuple[str, ...] = ()
    aggregate: Aggregate = sum

    @property
    def exported(self) -> str:
        """Its name in Prometheus."""
        return f"faultprint_{self.name}{'_total' if self.kind is MetricKind.COUNTER else ''}"

    def combined(self, readings: Iterable[Values]) -> Values:
        """One number for each set of labels."""
        by_labels: dict[Any, list[float]] = {}
        for values in readings:
            for labels, number in values.items():
                by_labels.setdefault(labels, []).append(number)
        return {labels: self.aggregate(numbers) for labels, numbers in by_labels.items()}

    def family(self, values: Values) -> Metric:
        """The metric in the form of the Prometheus client."""
        make = GaugeMetricFamily if self.kind is MetricKind.GAUGE else CounterMetricFamily
        family = make(f"faultprint_{self.name}", self.meaning, labels=self.labels)
        for labels, number in values.items():
            family.add_metric(labels, float(number))
        return family


def _metric(
    name: str,
    meaning: str,
    read: Callable[[Monitor], float | None],
    kind: MetricKind = MetricKind.GAUGE,
    aggregate: Aggregate = sum,
) -> MetricSpec:
    """A metric without labels. `read` returns None if there is no number yet."""

    def values(monitor: Monitor) -> Values:
        number = read(monitor)
        return {} if number is None else {(): number}

    return MetricSpec(kind, name, meaning, values, aggregate=aggregate)


def _sink_metric(
    kind: MetricKind, name: str, meaning: str, read: Callable[[DeliveryCounts], float], aggregate: Aggregate = sum
) -> MetricSpec:
    """A metric with one value per sink."""

    def values(monitor: Monitor) -> Values:
        return {(worker.sink.name,): read(worker.counts) for worker in monitor.workers}

    return MetricSpec(kind, name, meaning, values, ("sink",), aggregate)


def _agent_metric(
    kind: MetricKind, name: str, meaning: str, read: Callable[[AgentReport], float | None], aggregate: Aggregate = sum
) -> MetricSpec:
    """A metric with one value per HEP agent. `read` returns None if there is no number yet."""

    def values(monitor: Monitor) -> Values:
        numbers = {(agent.address, str(agent.agent)): read(agent) for agent in monitor.agents}
        return {labels: number for labels, number in numbers.items() if number is not None}

    return MetricSpec(kind, name, meaning, values, ("address", "agent"), aggregate)


def _clock_offset(agent: AgentReport) -> float | None:
    return None if agent.offset_us is None else agent.offset_us / 1e6


def _open_incidents(monitor: Monitor) -> Values:
    none = dict.fromkeys((*monitor.scorer.matcher.conditions, UNKNOWN), 0)
    counts = Counter(incident.condition for incident in list(monitor.incidents.open.values()))
    return {(condition,): count for condition, count in (none | counts).items()}


def _refused_rows(monitor: Monitor) -> Values:
    # All reasons exist from the start with 0, so that Prometheus sees the first refusal as an increase.
    none = {(source, reason): 0 for source in monitor.buffer.source_watermarks() for reason in REFUSAL_REASONS}
    return none | monitor.buffer.refused.copy()


def _dead_letters(monitor: Monitor) -> Values:
    return {
        (worker.sink.name, reason): count
        for worker in monitor.workers
        for reason, count in (("rejected", worker.counts.rejected), ("overflow", worker.counts.overflowed))
    }


_PROCESS_METRICS: Final = (
    MetricSpec(
        MetricKind.GAUGE, "build_info", "1; the label is the version.", lambda _: {(__version__,): 1}, ("version",)
    ),
    MetricSpec(MetricKind.GAUGE, "ready", "1 if /readyz answers 200.", lambda observed: {(): observed.liveness.ready}),
)
_MONITOR_METRICS: Final = (
    _metric(
        "state_write_failing",
        "1 while the state cannot be written.",
        lambda m: m.persistence.retry_write.failing,
        aggregate=max,
    ),
    _metric("nodes", "Nodes known.", lambda m: m.nodes.known),
    _metric(
        "nodes_full",
        "1 while there are `nodes.max` nodes, so that rows of further nodes are refused.",
        lambda m: m.buffer.full,
        aggregate=max,
    ),
    _metric(
        "nodes_baselined", "Nodes with a baseline; the others are warming up.", lambda m: m.nodes["baselined"].sum()
    ),
    _metric(
        "nodes_baseline_suspect",
        "Nodes whose last candidate for a baseline looks like a fault.",
        lambda m: m.nodes["baseline_suspect"].sum(),
    ),
    _metric("nodes_no_data", "Nodes without data.", lambda m: m.counters.no_data),
    MetricSpec(MetricKind.GAUGE, "incidents_open", "Open incidents.", _open_incidents, ("condition",)),
    _metric(
        "last_minute_timestamp_seconds",
        "End of the last finished minute.",
        lambda m: m.closed_us / 1e6 or None,
        aggregate=min,
    ),
    _metric(
        "last_minute_duration_seconds",
        "Time to score and save the last minute.",
        lambda m: m.counters.last_minute_seconds,
        aggregate=max,
    ),
    MetricSpec(
        MetricKind.GAUGE,
        "source_watermark_timestamp_seconds",
        "Watermark of a source: its data is complete up to here.",
        lambda m: {(source,): us / 1e6 for source, us in m.buffer.source_watermarks().items()},
        ("source",),
        min,
    ),
    _agent_metric(
        MetricKind.GAUGE,
        "agent_clock_offset_seconds",
        "The clock of a HEP agent is this far behind the clock of this machine (negative: ahead).",
        _clock_offset,
        max,
    ),
    _agent_metric(
        MetricKind.GAUGE,
        "agent_last_heard_timestamp_seconds",
        "Arrival of the last packet of a HEP agent.",
        lambda agent: agent.heard_us / 1e6 or None,
        max,
    ),
    _agent_metric(MetricKind.COUNTER, "agent_messages", "Messages of a HEP agent.", lambda agent: agent.messages),
    _agent_metric(
        MetricKind.COUNTER,
        "agent_stamps_unbelieved",
        "Messages of a HEP agent that were dropped, because their stamp is far from their arrival.",
        lambda agent: agent.unbelieved,
    ),
    _metric("window_buffer_bytes", "Memory of the window buffers of all nodes.", lambda m: m.window_buffer_bytes),
    _metric("intervals_processed", "Finished minutes.", lambda m: m.counters.minutes, MetricKind.COUNTER),
    _metric(
        "nodes_forgotten", "Nodes forgotten, without data for long.", lambda m: m.counters.forgotten, MetricKind.COUNTER
    ),
    _metric(
        "verdicts_not_finite",
        "Verdicts not given, because a number was not finite.",
        lambda m: m.counters.not_finite,
        MetricKind.COUNTER,
    ),
    _metric(
        "stored_values_unusable",
        "Stored values that were damaged, found at the start.",
        lambda m: m.persistence.damaged,
        MetricKind.COUNTER,
    ),
    _metric(
        "library_errors",
        "Failed attempts to read the library.",
        lambda m: m.counters.library_errors,
        MetricKind.COUNTER,
    ),
    MetricSpec(
        MetricKind.COUNTER,
        "verdicts",
        "Verdicts given.",
        lambda m: {(condition,): count for condition, count in m.counters.verdicts.copy().items()},
        ("condition",),
    ),
    MetricSpec(
        MetricKind.COUNTER,
        "incident_changes",
        "Changes of incidents.",
        lambda m: {(change,): count for change, count in m.counters.changes.copy().items()},
        ("change",),
    ),
    MetricSpec(MetricKind.COUNTER, "rows_refused", "Rows refused.", _refused_rows, ("source", "reason")),
    _sink_metric(MetricKind.GAUGE, "messages_waiting", "Messages in the outbox.", lambda counts: counts.waiting),
    _sink_metric(
        MetricKind.GAUGE,
        "oldest_message_tried_seconds",
        "Time since the first attempt to deliver the oldest message; 0: none waits.",
        lambda counts: counts.tried_seconds,
        max,
    ),
    _sink_metric(
        MetricKind.GAUGE, "sink_up", "0 while a sink cannot be reached.", lambda counts: not counts.unreachable, min
    ),
    _sink_metric(
        MetricKind.COUNTER, "messages_delivered", "Messages received by the sink.", lambda counts: counts.delivered
    ),
    _sink_metric(
        MetricKind.COUNTER,
        "messages_retried",
        "Failed delivery attempts that are retried.",
        lambda counts: counts.retried,
    ),
    MetricSpec(
        MetricKind.COUNTER,
        "messages_dead_lettered",
        "Messages that will not be sent: rejected by the sink, or overflow of the outbox.",
        _dead_letters,
        ("sink", "reason"),
    ),
)
METRICS: Final = (*_PROCESS_METRICS, *_MONITOR_METRICS)
"""All metrics of the monitor, in order; those of the process (`process_…`) come from the client library."""
PARTITIONS: Final = MetricSpec(
    MetricKind.GAUGE,
    "kafka_partitions",
    "Partitions held (only with [kafka]).",
    lambda observed: {(): observed.partitions},
)


class MonitorCollector(Collector):
    """Collects the metrics of all monitors of a process, combined. Counters of monitors that have ended stay counted."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._ended: dict[str, Values] = {}
        observed.leaving.append(self._add_ended)

    def collect(self) -> Iterator[Metric]:
        yield from (spec.family(spec.read(self._observed)) for spec in _PROCESS_METRICS)
        if self._observed.partitions is not None:
            yield PARTITIONS.family(PARTITIONS.read(self._observed))
        monitors = self._observed.monitors
        yield from (spec.family(self._total(spec, monitors)) for spec in _MONITOR_METRICS)

    def _add_ended(self, monitor: Monitor) -> None:
        for spec in _MONITOR_METRICS:
            if spec.kind is MetricKind.COUNTER:
                self._ended[spec.name] = self._total(spec, [monitor])

    def _total(self, spec: MetricSpec, monitors: Iterable[Monitor]) -> Values:
        return spec.combined([self._ended.get(spec.name, {}), *map(spec.read, monitors)])


def exposition(collector: Collector) -> bytes:
    """The metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    return generate_latest(registry)
