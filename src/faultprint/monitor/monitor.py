"""The main loop: takes batches of minutes, and saves verdicts, incidents and outgoing messages minute by minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.cases.baseline import FIRST_HOUR, Baseline
from faultprint.cases.library import LOCK_WAIT_S, Library
from faultprint.cases.matching import Matcher
from faultprint.cases.thresholds import matcher_for, rule_for
from faultprint.embedding.model import Model
from faultprint.monitor.base.interfaces import AgentReport, AgentSource, Batch, BatchSource, Clock
from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.base.log import Log
from faultprint.monitor.base.memory import trim_memory
from faultprint.monitor.control.executor import CommandExecutor
from faultprint.monitor.deliver.delivery import DeliveryWorker
from faultprint.monitor.detect.counters import Counters
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer
from faultprint.monitor.ingest.watermark import FinishedMinute, WatermarkBuffer
from faultprint.monitor.state.persistence import Persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message
from faultprint.units import DAY_US
from faultprint.windows.series import feature_matrix, infinite_rows

QueuedMessage = tuple[str, Message]
"""The name of a sink's outbox, and a message for it."""
LIBRARY_WAIT_S: Final = 1.0
"""Longest wait of a running monitor for a library that another process writes, seconds."""
FORGET_AFTER: Final = 60
"""Minutes that a monitor must have finished before it forgets a node: after a pause, nodes need time to return."""
CLOCK_JUMP_US: Final = 1_000_000
"""The clock must go back this far to be logged; NTP corrects less than that every day."""


class Monitor:
    """Connects the watermark buffer, scorer, incidents, persistence and delivery workers.

    Only the workers have threads of their own. All parts are passed in, so that a replay and the tests run the same code as
    the live monitor.
    """

    def __init__(
        self,
        model: Model,
        library: Path,
        store: Store,
        buffer: WatermarkBuffer,
        incidents: Incidents,
        workers: Sequence[DeliveryWorker],
        clock: Clock,
        log: Log,
        *,
        baseline: Baseline = FIRST_HOUR,
        confirm_minutes: int = 3,
        quantized: bool = False,
        no_data_minutes: int = 5,
        forget_days: int = 14,
        keep_minutes: int = 1440,
        keep_incident_days: int = 90,
    ) -> None:
        """Restores the state in `store`. Raises UsageError, ModelError or LibraryError."""
        self.model, self.buffer, self.incidents, self.nodes = model, buffer, incidents, NodeTable()
        self.counters = Counters()
        self.stop: Callable[[], bool] = lambda: False
        """Whether the loop shall end, also while the state cannot be written."""
        self.may_put_back = False
        """Whether the clock is that of the machine: if it was ahead, minutes that it put into the future are judged again."""
        self.liveness = Liveness()
        self._agent_sources: Sequence[AgentSource] = ()
        self.workers, self.clock, self.log = tuple(workers), clock, log
        self.leaving: list[Callable[[Monitor], None]] = []
        """Called before a monitor ends while others go on: see GroupMember."""
        self._library, self._confirm_minutes = library, confirm_minutes
        self._library_version, self._library_failing = _file_version(library), False
        self._no_data_minutes, self._without_data = no_data_minutes, frozenset[int]()
        # Not while stored verdicts name the node by its index, which another node gets.
        self._forget_minutes = max(forget_days * DAY_US // model.manifest.interval_us, keep_minutes + 1)
        self._full = False
        self._clock_moved_back = self._awaits_minute = False
        self._quantized = quantized
        self._baseline = baseline
        self.store = store
        self.scorer = self._make_scorer()
        self.persistence = Persistence(store, model, keep_minutes, keep_incident_days, log)
        self.persistence.restore(self.scorer, self.nodes, incidents, buffer)
        self.executor = CommandExecutor(store, incidents, self.nodes, log)

    @property
    def closed_us(self) -> int:
        """The end of the last finished minute, µs; 0 before the first."""
        return (self.buffer.closed + 1) * self.buffer.interval_us

    @property
    def monitors(self) -> Sequence[Monitor]:
        """Itself; a member of a group has several."""
        return (self,)

    @property
    def partitions(self) -> int | None:
        """Partitions of Kafka that it holds; None: it does not use Kafka."""
        return None

    @property
    def agents(self) -> Sequence[AgentReport]:
        """The HEP agents of its sources."""
        return [agent for source in self._agent_sources for agent in source.agents]

    @property
    def window_buffer_bytes(self) -> int:
        """Memory of the window buffers of all nodes."""
        return self.scorer.encoder.nbytes

    def run(self, sources: Sequence[BatchSource], stop: Callable[[], bool]) -> None:
        """Process batches of the sources in turn until all sources end or `stop` returns true."""
        self.stop = stop
        self._agent_sources = [source for source in sources if isinstance(source, AgentSource)]
        streams = {source.name: source.batches(self.closed_us) for source in sources}
        try:
            while streams and not stop():
                for name in list(streams):
                    batch = next(streams[name], None)
                    if batch is None:
                        del streams[name]
                        self.buffer.remove_source(name)
                    else:
                        self.process(name, batch)
                    if stop():
                        break
            if not streams:
                self.finish()
        finally:
            for source in sources:
                source.close()

    def process(self, source: str, batch: Batch) -> None:
        """Add a batch, and score all minutes that become final."""
        self.liveness.beat()
        now_us = self.clock.now_us()
        self._check_clock(now_us)
        self.buffer.add(source, batch, now_us)
        for finished in self.buffer.finished(now_us):
            self._finish(finished)
        self._execute_commands()
        if self.may_put_back:
            self.liveness.ahead = self._awaits_minute or self.closed_us > now_us

    def finish_through(self, number: int) -> None:
        """Score all minutes up to the one of this number."""
        for finished in self.buffer.finish_through(number):
            self._finish(finished)

    def finish(self) -> None:
        """Score all waiting minutes; call it when all sources have ended."""
        for finished in self.buffer.drain():
            self._finish(finished)

    def _finish(self, finished: FinishedMinute) -> None:
        start = time.perf_counter()
        self._reload_library()
        rows, names = finished.rows, self.model.catalogue.names
        if rows is None:
            observed, values = np.empty(0, np.int64), np.empty((0, len(names)), np.float32)
        else:
            observed = self.nodes.index(*(rows.get_column(name).cast(pl.String) for name in ("node", "network")))
            values = feature_matrix(rows, names)
            values[infinite_rows(rows, names), 0] = np.inf  # so that it is no verdict, rather than a missing value
        verdicts = self.scorer.score(finished.number, self.nodes, observed, values)
        changed = self.incidents.update(verdicts, self.nodes)
        self._forget_nodes(finished.number)
        messages = [*self._messages(changed), *self._measurements(finished)]
        self.persistence.save(verdicts, self.scorer, self.nodes, changed, messages, self.stop)
        self._report(verdicts, changed, messages)
        if self._quantized:
            trim_memory()
        self.counters.last_minute_seconds = time.perf_counter() - start
        self._awaits_minute = False

    def _forget_nodes(self, number: int) -> None:
        """Forget the nodes without data for long, but not within the first FORGET_AFTER minutes after a start."""
        if self.counters.minutes < FORGET_AFTER:
            return
        for node in self.nodes.silent(number - self._forget_minutes + 1):
            if self.nodes.names[node] in self.incidents.open:
                continue
            name = self.nodes.forget(node)
            self.scorer.encoder.clear(node)
            self.buffer.forget(name)
            self.incidents.cleared.pop(name, None)
            self.counters.forgotten += 1
            self.log("node_forgotten", node=name)

    def _messages(self, changed: Sequence[Incident]) -> list[QueuedMessage]:
        return [
            (worker.sink.name, message)
            for incident in changed
            for worker in self.workers
            for message in worker.sink.encode(incident)
        ]

    def _measurements(self, finished: FinishedMinute) -> Iterator[QueuedMessage]:
        minute_us = finished.number * self.buffer.interval_us
        for sink in (worker.sink for worker in self.workers):
            if sink.measure and finished.rows is not None:
                yield from ((sink.name, message) for message in sink.measure(finished.rows, minute_us))

    def _report(self, verdicts: MinuteVerdicts, changed: Sequence[Incident], messages: Sequence[QueuedMessage]) -> None:
        """Count and log the minute, and wake the delivery workers."""
        self.counters.minutes += 1
        self.counters.verdicts.update(verdicts.counts())
        self.counters.not_finite += len(verdicts.not_finite)
        for node in verdicts.not_finite:
            self.log("node_not_finite", node=self.nodes.names[node])
        if self._full != self.buffer.full:
            self._full = self.buffer.full
            if self._full:
                self.log("nodes_full", nodes=self.nodes.known)
        for node in verdicts.baselines:
            self.log("node_baselined", node=self.nodes.names[node])
        for node, condition in verdicts.suspects.items():
            if condition:
                self.log("baseline_suspect", node=self.nodes.names[node], looks_like=condition)
            else:
                self.log("baseline_incomplete", node=self.nodes.names[node])
        self._check_data(verdicts.number)
        self._announce(changed, messages)

    def _announce(self, changed: Sequence[Incident], messages: Sequence[QueuedMessage]) -> None:
        """Count and log changes of incidents, and wake the delivery workers."""
        for incident in changed:
            self.counters.changes[incident.change.value] += 1
            self.log(
                "incident_changed",
                change=incident.change.value,
                incident=str(incident.identity),
                node=incident.node,
                condition=incident.condition,
                severity=incident.severity.value,
            )
        if messages:
            for worker in self.workers:
                worker.wake()

    def _make_scorer(self) -> Scorer:
        return Scorer(self.model, *self._references(), self._baseline, quantized=self._quantized)

    def _check_clock(self, now_us: int) -> None:
        """Log once that the clock moved back (the buffer then waits for it), and once that it has caught up."""
        if self.may_put_back:
            self._put_back(now_us)
        behind_us = self.buffer.now_us - now_us
        if (behind_us > CLOCK_JUMP_US) == self._clock_moved_back:
            return
        self._clock_moved_back = not self._clock_moved_back
        if self._clock_moved_back:
            self.log("clock_moved_back", seconds=behind_us / 1e6)
        else:
            self.log("clock_caught_up", seconds=max(behind_us, 0) / 1e6)

    def _put_back(self, now_us: int) -> None:
        """The clock of the machine moved back: go on from there. Minutes that lie in the future are judged when they come."""
        behind_us = self.buffer.now_us - now_us
        if behind_us > CLOCK_JUMP_US:
            self.log("clock_moved_back", seconds=behind_us / 1e6)
            self.buffer.set_back(now_us)
        ahead_us = self.closed_us - now_us
        # Less than a minute is soon over, and its minute was judged at nearly the right time.
        if ahead_us > self.buffer.interval_us:
            self.log("clock_was_ahead", seconds=ahead_us / 1e6)
            number = now_us // self.buffer.interval_us - 1
            self.persistence.put_back(number, self.nodes, self.stop)
            self.buffer.set_back(now_us, number)
            self.incidents.put_back(number)
            self.nodes, self.scorer = NodeTable(), self._make_scorer()
            self.persistence.restore(self.scorer, self.nodes, self.incidents, self.buffer)
            self.executor = CommandExecutor(self.store, self.incidents, self.nodes, self.log)
            self._without_data = frozenset()
            self._awaits_minute = True

    def _check_data(self, number: int) -> None:
        """Log once for each node that its data stopped, and once that it resumed."""
        without_data = frozenset(self.nodes.without_data(number, self._no_data_minutes).tolist())
        for node in sorted(without_data - self._without_data):
            self.log("node_no_data", node=self.nodes.names[node])
        for node in sorted(self._without_data - without_data):
            self.log("node_data_resumed", node=self.nodes.names[node])
        self._without_data = without_data
        self.counters.no_data = len(without_data)

    def _execute_commands(self) -> None:
        """Execute the waiting commands of operators."""
        if executed := self.executor.execute(self.buffer.closed):
            messages = self._messages(executed.changes)
            self.persistence.save_commands(executed.latest, messages, executed.done, self.stop)
            self.counters.commands += len(executed.done)
            self._announce(executed.changes, messages)

    def _reload_library(self) -> None:
        """Load the library if it changed since the last minute. Until it can be read, the last good references stay."""
        version = _file_version(self._library)
        if version == self._library_version and not self._library_failing:
            return
        try:
            matcher, rule = self._references(LIBRARY_WAIT_S)
        except Exception as error:  # whatever the file holds, the watch goes on
            self.counters.library_errors += 1
            if not self._library_failing:
                self.log("library_unreadable", detail=f"{error}"[:500])
            self._library_failing = True
            return
        self._library_version, self._library_failing = version, False
        self.scorer.replace_references(matcher, rule, self.nodes)
        self.log("library_loaded", conditions=list(matcher.conditions))

    def _references(self, wait_s: float = LOCK_WAIT_S) -> tuple[Matcher, Any]:
        with Library.open(self._library, wait_s=wait_s) as library:
            references = library.for_model(self.model.id, self.model.dimensions)
            return matcher_for(self.model, references), rule_for(self.model, library, self._confirm_minutes)


def _file_version(path: Path) -> tuple[tuple[int, int], ...]:
    """Modification times and sizes of a SQLite file and its write-ahead log; they change with the content."""
    versions = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            status = name.stat()
        except OSError:
            continue
        versions.append((status.st_mtime_ns, status.st_size))
    return tuple(versions)
