"""The monitor itself: batches in; verdicts, incidents and outgoing messages kept, a minute at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import matcher_for, rule_for
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher
from faultprint.embedding.model import Model
from faultprint.errors import FaultprintError
from faultprint.monitor.base.interfaces import Batch, BatchSource, Clock
from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.base.memory import trim_memory
from faultprint.monitor.control.executor import CommandExecutor
from faultprint.monitor.deliver.delivery import DeliveryWorker, Log
from faultprint.monitor.detect.counters import Counters
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer
from faultprint.monitor.ingest.watermark import FinishedMinute, WatermarkBuffer
from faultprint.monitor.state.persistence import Persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message
from faultprint.windows.series import matrix

Addressed = tuple[str, Message]
"""A message, and the name of the sink that it is for."""
PUT_BACK_US: Final = 1_000_000
"""How far a clock must go back to be called put back; less is a correction."""


class Monitor:
    """Wires gate, judge, incidents, memory and couriers together; single-threaded but for the couriers.

    Everything that it needs is handed in, so that a replay and a test run what runs live.
    """

    def __init__(
        self,
        model: Model,
        library: Path,
        store: Store,
        gate: WatermarkBuffer,
        incidents: Incidents,
        couriers: Sequence[DeliveryWorker],
        clock: Clock,
        tell: Log,
        *,
        profile_minutes: int = 60,
        vouched: bool = True,
        persistence: int = 3,
        compact: bool = False,
        silent_minutes: int = 5,
        keep_minutes: int = 1440,
        keep_incident_days: int = 90,
    ) -> None:
        """Take up the state that `store` holds. Raises UsageError, ModelError or LibraryError."""
        self.model, self.buffer, self.incidents, self.nodes = model, gate, incidents, NodeTable()
        self.counters = Counters()
        self.stop: Callable[[], bool] = lambda: False
        """Whether the loop is to end, though what it wants to write cannot be written."""
        self.liveness = Liveness()
        self.workers, self.clock, self.log = tuple(couriers), clock, tell
        self._library, self._persistence = library, persistence
        self._stamp = _stamp(library)
        self._silent_minutes, self._silent = silent_minutes, frozenset[int]()
        self._put_back = False
        self._compact = compact
        self.store = store
        self.scorer = Scorer(model, *self._references(), profile_minutes, vouched=vouched, compact=compact)
        self.persistence = Persistence(store, model, keep_minutes, keep_incident_days, tell)
        self.persistence.recall(self.scorer, self.nodes, incidents, gate)
        self.executor = CommandExecutor(store, incidents, self.nodes, tell)

    @property
    def closed_us(self) -> int:
        """The end of the last finished minute, µs; 0 before the first."""
        return (self.buffer.closed + 1) * self.buffer.interval_us

    @property
    def window_buffer_bytes(self) -> int:
        """Memory that the nodes' recent minutes take."""
        return self.scorer.lanes.nbytes

    def run(self, sources: Sequence[BatchSource], stop: Callable[[], bool]) -> None:
        """Take batches in turn from the sources until they have no more, or `stop` says so."""
        self.stop = stop
        streams = {source.name: source.batches(self.closed_us) for source in sources}
        try:
            while streams and not stop():
                for name in list(streams):
                    batch = next(streams[name], None)
                    if batch is None:
                        del streams[name]
                        self.buffer.end(name)
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
        """A batch, and all minutes that it makes final."""
        self.liveness.beat()
        now_us = self.clock.now_us()
        self._watch_clock(now_us)
        self.buffer.take(source, batch, now_us)
        for finished in self.buffer.due(now_us):
            self._finish(finished)
        self._obey()

    def finish_through(self, number: int) -> None:
        """All minutes up to that of this number are final."""
        for finished in self.buffer.through(number):
            self._finish(finished)

    def finish(self) -> None:
        """No source has any more: what waits is final."""
        for finished in self.buffer.rest():
            self._finish(finished)

    def _finish(self, finished: FinishedMinute) -> None:
        begun = time.perf_counter()
        self._look_at_library()
        rows, names = finished.rows, self.model.catalogue.names
        if rows is None:
            observed, values = np.empty(0, np.int64), np.empty((0, len(names)), np.float32)
        else:
            observed = self.nodes.index(*(rows.get_column(name).cast(pl.String) for name in ("node", "network")))
            values = matrix(rows, names)
        judged = self.scorer.judge(finished.number, self.nodes, observed, values)
        changed = self.incidents.follow(judged, self.nodes)
        messages = [*self._messages(changed), *self._measurements(finished)]
        self.persistence.keep(judged, self.scorer, self.nodes, changed, messages, self.stop)
        self._account(judged, changed, messages)
        if self._compact:
            trim_memory()
        self.counters.seconds_of_last = time.perf_counter() - begun

    def _messages(self, changed: Sequence[Incident]) -> list[Addressed]:
        return [
            (courier.sink.name, message)
            for incident in changed
            for courier in self.workers
            for message in courier.sink.encode(incident)
        ]

    def _measurements(self, finished: FinishedMinute) -> Iterator[Addressed]:
        minute_us = finished.number * self.buffer.interval_us
        for sink in (courier.sink for courier in self.workers):
            if sink.measure and finished.rows is not None:
                yield from ((sink.name, message) for message in sink.measure(finished.rows, minute_us))

    def _account(self, judged: MinuteVerdicts, changed: Sequence[Incident], messages: Sequence[Addressed]) -> None:
        """Count, say what happened, wake who has something to send."""
        tallies = self.counters
        tallies.minutes += 1
        tallies.verdicts.update(judged.counts())
        for node in judged.normals:
            self.log("node ready", node=self.nodes.names[node])
        for node, condition in judged.doubts.items():
            event, more = ("normal is doubtful", {"looks_like": condition}) if condition else ("normal has gaps", {})
            self.log(event, node=self.nodes.names[node], **more)
        self._watch_silence(judged.number)
        self._announce(changed, messages)

    def _announce(self, changed: Sequence[Incident], messages: Sequence[Addressed]) -> None:
        for incident in changed:
            self.counters.changes[incident.change.value] += 1
            self.log(
                "incident",
                change=incident.change.value,
                incident=str(incident.identity),
                node=incident.node,
                condition=incident.condition,
                severity=incident.severity.value,
            )
        if messages:
            for courier in self.workers:
                courier.wake()

    def _watch_clock(self, now_us: int) -> None:
        """Say once that the clock was put back (the gate waits for it), and once that it is where it was."""
        behind_us = self.buffer.now_us - now_us
        if (behind_us > PUT_BACK_US) != self._put_back:
            self._put_back = not self._put_back
            event = "clock put back" if self._put_back else "clock has caught up"
            self.log(event, seconds=max(behind_us, 0) / 1e6)

    def _watch_silence(self, number: int) -> None:
        """Say once of a node that nobody listens to it any more, and once that somebody does again."""
        silent = frozenset(self.nodes.silent(number, self._silent_minutes).tolist())
        for event, which in (("node silent", silent - self._silent), ("node heard again", self._silent - silent)):
            for node in sorted(which):
                self.log(event, node=self.nodes.names[node])
        self._silent = silent
        self.counters.silent = len(silent)

    def _obey(self) -> None:
        """Do what people asked for."""
        if carried := self.executor.carry_out(self.buffer.closed):
            messages = self._messages(carried.changes)
            self.persistence.change(carried.latest, messages, carried.done, self.stop)
            self.counters.instructions += len(carried.done)
            self._announce(carried.changes, messages)

    def _look_at_library(self) -> None:
        """Take over what was taught since the last minute; a library that cannot be read changes nothing."""
        stamp = _stamp(self._library)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            matcher, rule = self._references()
        except (FaultprintError, OSError) as error:
            self.counters.library_errors += 1
            self.log("library unreadable", detail=str(error))
            return
        self.scorer.exchange(matcher, rule, self.nodes)
        self.log("library read", conditions=list(matcher.conditions))

    def _references(self) -> tuple[Matcher, Any]:
        with Library.open(self._library) as library:
            references = library.for_model(self.model.id, self.model.dimensions)
            return matcher_for(self.model, references), rule_for(self.model, library, self._persistence)


def _stamp(path: Path) -> tuple[tuple[int, int], ...]:
    """What tells that a SQLite file has changed: times and sizes of the file and of its write-ahead log."""
    found = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            status = name.stat()
        except OSError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)
