"""What the monitor remembers over a restart: written with each minute, recalled before the first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.embedding.model import Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.monitor.base.retry import RetryUntilWritten
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import COLUMNS, NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer, rename
from faultprint.monitor.ingest.watermark import WatermarkBuffer
from faultprint.monitor.state.store import MinuteRecord, StateFrame, Store
from faultprint.monitor.state.verdicts import pack, unpack
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message
from faultprint.units import DAY_US
from faultprint.windows.profile import Profile

_SCALED, _CODES, _WARMING = "scaled", "codes", "warming"


class Persistence:
    """Turns the monitor's arrays into rows of the store, and back."""

    def __init__(
        self,
        store: Store,
        model: Model,
        keep_minutes: int,
        keep_incident_days: int,
        tell: Log,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.beside: Callable[[], Mapping[str, str]] = dict
        """Further facts that a source wants written with each minute, such as how far it has read."""
        self.insistence = RetryUntilWritten("state", tell, sleep)
        self._store, self._model = store, model
        self._keep_minutes, self._keep_incident_us = keep_minutes, keep_incident_days * DAY_US
        self._known = 0
        self._interval_us = model.manifest.interval_us

    def keep(
        self,
        judged: MinuteVerdicts,
        judge: Scorer,
        nodes: NodeTable,
        changed: Sequence[Incident],
        messages: Sequence[tuple[str, Message]],
        stop: Callable[[], bool],
    ) -> None:
        """Write one finished minute, however long it takes. Raises StateError if `stop` says so meanwhile."""
        number, oldest = judged.number, nodes.oldest_warming
        spans, window = self._model.manifest.spans, self._model.window
        new = range(self._known, len(nodes))
        record = MinuteRecord(
            facts={
                "model": self._model.id,
                "codes": judge.lanes.kept_as,
                "closed": str(number),
                "conditions": json.dumps(judge.matcher.conditions),
                **self.beside(),
            },
            nodes=[(node, nodes.names[node], nodes.networks[node]) for node in new],
            normals={node: _normal_bytes(normal) for node, normal in judged.normals.items()},
            counters={name: nodes[name].tobytes() for name in COLUMNS},
            frames=list(_frames(judged)),
            forget={
                _SCALED: number - max(spans) + 1,
                _CODES: number - window + 1,
                # A node that became ready lately has its first hour's codes from here.
                _WARMING: min(number - judge.lanes.history + 1, number if oldest is None else oldest),
            },
            verdicts=pack(judged) if len(judged.nodes) else None,
            keep_verdicts_from=number - self._keep_minutes + 1,
            incidents=changed,
            forget_incidents_us=(number + 1) * self._interval_us - self._keep_incident_us,
            messages=messages,
        )
        self.insistence.until_done(lambda: self._store.keep(record), stop)
        self._known = len(nodes)

    def change(
        self,
        incidents: Sequence[Incident],
        messages: Sequence[tuple[str, Message]],
        done: Sequence[int],
        stop: Callable[[], bool],
    ) -> None:
        """Write what the instructions of these numbers changed, as `keep` writes a minute."""
        self.insistence.until_done(lambda: self._store.change(incidents, messages, done), stop)

    def recall(self, judge: Scorer, nodes: NodeTable, incidents: Incidents, gate: WatermarkBuffer) -> None:
        """Put everything back as the last finished minute left it. Raises UsageError for another model's state."""
        facts = self._store.facts()
        if "model" not in facts:
            return  # no minute has been finished yet
        if facts["model"] != self._model.id:
            raise UsageError(
                f"{self._store.state} holds the state of a monitor with the model {facts['model']}, but {self._model.id} is in "
                "use; vectors of different models cannot be mixed: name another state file."
            )
        if facts["codes"] != judge.lanes.kept_as:
            raise UsageError(
                f"{self._store.state} keeps minutes as {facts['codes']}, not {judge.lanes.kept_as}; set nodes.compact as it "
                "was, or name another state file."
            )
        gate.closed = int(facts["closed"])
        normals = self._recall_nodes(nodes, gate)
        judge.lanes.add(len(nodes))
        for node, normal in normals:
            judge.lanes.teach(node, normal)
        judge.lanes.advance(gate.closed)
        self._recall_rings(judge, nodes, dict(normals))
        self._recall_incidents(incidents, gate.closed)
        # The library may have changed meanwhile.
        rename(nodes, json.loads(facts["conditions"]), judge.matcher.conditions)

    def _recall_nodes(self, nodes: NodeTable, gate: WatermarkBuffer) -> list[tuple[int, NodeBaseline]]:
        rows = list(self._store.nodes())
        nodes.index((row[1] for row in rows), (row[2] for row in rows))
        self._known = len(rows)
        for _, name, network, _ in rows:
            gate.known(name, network)
        for name, data in self._store.counters().items():
            nodes[name][:] = np.frombuffer(data, np.int64)
        width = len(self._model.catalogue)
        return [(node, _normal_of(data, width)) for node, _, _, data in rows if data is not None]

    def _recall_rings(self, judge: Scorer, nodes: NodeTable, normals: Mapping[int, NodeBaseline]) -> None:
        lanes = judge.lanes
        for frame in self._store.frames(_WARMING):
            who = np.frombuffer(frame.nodes, np.int32)
            for node, row in zip(
                who.tolist(), np.frombuffer(frame.data, np.float32).reshape(len(who), -1), strict=True
            ):
                nodes.keep(node, frame.minute, row)
        for node in nodes.warming:  # without the minutes that were refused
            nodes.trim(node, judge.profile_minutes if node in normals else int(nodes["seen"][node]))
        for node in [node for node in nodes.warming if node in normals]:
            lanes.teach(node, normals[node], nodes.history(node, self._interval_us, self._model.catalogue.names))
            nodes.warmed(node)
        scaled = {frame.minute: frame.data for frame in self._store.frames(_SCALED)}
        for frame in self._store.frames(_CODES):
            lane = np.frombuffer(frame.nodes, np.int32).astype(np.int64)
            codes = np.frombuffer(frame.data, lanes.kept).reshape(len(lane), *lanes.code_shape)
            data = scaled.get(frame.minute)
            values = None if data is None else np.frombuffer(data, lanes.kept).reshape(len(lane), -1)
            lanes.restore(frame.minute, lane, codes, values)

    def _recall_incidents(self, incidents: Incidents, closed: int) -> None:
        since = (closed - incidents.rules.flap_minutes) * self._interval_us
        for incident in self._store.incidents(max(since, 0)):
            if incident.cleared_us is None:
                incidents.open[incident.node] = incident
            else:
                number = min((incident.cleared_us - 1) // self._interval_us, closed)
                incidents.cleared.setdefault(incident.node, []).append(number)


def _frames(judged: MinuteVerdicts) -> Iterator[StateFrame]:
    if judged.trace is not None and len(judged.traced):
        who = judged.traced.astype(np.int32).tobytes()
        yield StateFrame(_SCALED, judged.number, who, judged.trace.scaled.data)
        yield StateFrame(_CODES, judged.number, who, judged.trace.codes.data)
    warming = np.flatnonzero(~np.isin(judged.nodes, judged.traced, assume_unique=True))
    if len(warming):
        who = judged.nodes[warming].astype(np.int32).tobytes()
        yield StateFrame(_WARMING, judged.number, who, judged.values[warming].tobytes())


def verdicts(store: Store, interval_us: int) -> pl.DataFrame:
    """The VERDICTS that the store keeps, by node and time."""
    return unpack(store.verdicts(), [name for _, name, _, _ in store.nodes()], interval_us)


_PROFILE: Final = ("centre", "spread", "support", "seen")


def _normal_bytes(normal: NodeBaseline) -> bytes:
    """float32: the number of minutes, the profile's four arrays, the two means."""
    profile = normal.profile
    recent = np.full_like(normal.mean, np.nan) if normal.short_mean is None else normal.short_mean
    parts = [
        np.array([profile.minutes], np.float32),
        *(getattr(profile, name) for name in _PROFILE),
        normal.mean,
        recent,
    ]
    return np.concatenate(parts).astype(np.float32).tobytes()


def _normal_of(data: bytes, features: int) -> NodeBaseline:
    numbers = np.frombuffer(data, np.float32)
    arrays = [numbers[1 + at * features : 1 + (at + 1) * features] for at in range(len(_PROFILE))]
    mean, recent = np.split(numbers[1 + len(_PROFILE) * features :], 2)
    return NodeBaseline(Profile(int(numbers[0]), *arrays), mean, None if np.isnan(recent).any() else recent)
