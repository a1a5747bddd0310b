"""Persistence of the monitor: saved with each minute, restored before the first one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.embedding.model import Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.monitor.base.log import Log
from faultprint.monitor.base.retry import RetryUntilWritten
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import COLUMNS, NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer, rename_conditions
from faultprint.monitor.ingest.watermark import WatermarkBuffer
from faultprint.monitor.state.store import MinuteRecord, StateFrame, Store
from faultprint.monitor.state.verdicts import pack, unpack
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message
from faultprint.units import DAY_US
from faultprint.windows.profile import Profile

_SCALED, _CODES, _WARMING = "scaled", "codes", "warming"
_STORED_COLUMNS: Final[Mapping[str, str]] = {
    "candidate": "rival",
    "count": "agreed",
    "observed_minutes": "seen",
    "last_minute": "last",
    "fault_minutes": "alarmed",
    "recovered_minutes": "calm",
    "baselined": "ready",
    "baseline_suspect": "doubtful",
    "rejected_baselines": "refused",
    "fault": "raised",
    "active": "there",
    "active_count": "against",
}
"""Column of NodeTable → its name in stored states, where they differ."""


class Persistence:
    """Converts the arrays of the monitor to rows of the store, and back."""

    def __init__(
        self,
        store: Store,
        model: Model,
        keep_minutes: int,
        keep_incident_days: int,
        log: Log,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.extra_facts: Callable[[], Mapping[str, str]] = dict
        """Gives further facts to write with each minute, such as the read position of a source."""
        self.retry_write = RetryUntilWritten("state", log, sleep)
        self._store, self._model = store, model
        self._keep_minutes, self._keep_incident_us = keep_minutes, keep_incident_days * DAY_US
        self._saved_nodes = 0
        self._interval_us = model.manifest.interval_us

    def save(
        self,
        verdicts: MinuteVerdicts,
        scorer: Scorer,
        nodes: NodeTable,
        changed: Sequence[Incident],
        messages: Sequence[tuple[str, Message]],
        stop: Callable[[], bool],
    ) -> None:
        """Write one finished minute; retries until the state can be written. Raises StateError if `stop` becomes true."""
        number, oldest = verdicts.number, nodes.oldest_warming
        spans, window = self._model.manifest.spans, self._model.window
        new = range(self._saved_nodes, len(nodes))
        record = MinuteRecord(
            facts={
                "model": self._model.id,
                "codes": scorer.encoder.codec_name,
                "closed": str(number),
                "conditions": json.dumps(scorer.matcher.conditions),
                **self.extra_facts(),
            },
            nodes=[(node, nodes.names[node], nodes.networks[node]) for node in new],
            baselines={node: _baseline_bytes(baseline) for node, baseline in verdicts.baselines.items()},
            counters={_STORED_COLUMNS.get(name, name): nodes[name].tobytes() for name in COLUMNS},
            frames=list(_frames(verdicts)),
            forget={
                _SCALED: number - max(spans) + 1,
                _CODES: number - window + 1,
                # The first embeddings of a node with a new baseline are computed from these minutes.
                _WARMING: min(number - scorer.encoder.history_minutes + 1, number if oldest is None else oldest),
            },
            verdicts=pack(verdicts) if len(verdicts.nodes) else None,
            keep_verdicts_from=number - self._keep_minutes + 1,
            incidents=changed,
            forget_incidents_us=(number + 1) * self._interval_us - self._keep_incident_us,
            messages=messages,
        )
        self.retry_write.retry(lambda: self._store.save_minute(record), stop)
        self._saved_nodes = len(nodes)

    def save_commands(
        self,
        incidents: Sequence[Incident],
        messages: Sequence[tuple[str, Message]],
        done: Sequence[int],
        stop: Callable[[], bool],
    ) -> None:
        """Write the changes of the commands `done`, with the same retries as `save`."""
        self.retry_write.retry(lambda: self._store.save_commands(incidents, messages, done), stop)

    def restore(self, scorer: Scorer, nodes: NodeTable, incidents: Incidents, buffer: WatermarkBuffer) -> None:
        """Restore the monitor as the last finished minute left it. Raises UsageError for the state of another model."""
        facts = self._store.facts()
        if "model" not in facts:
            return  # no minute is finished yet
        if facts["model"] != self._model.id:
            raise UsageError(
                f"{self._store.state} belongs to model {facts['model']}, but the configuration names model {self._model.id}; "
                "embeddings of two models cannot be mixed: name another state file."
            )
        if facts["codes"] != scorer.encoder.codec_name:
            raise UsageError(
                f"{self._store.state} keeps minutes as {facts['codes']}, not {scorer.encoder.codec_name}; "
                "set nodes.quantized to its old value, or name another state file."
            )
        buffer.closed = int(facts["closed"])
        baselines = self._restore_nodes(nodes, buffer)
        scorer.encoder.add_slots(len(nodes))
        for node, baseline in baselines:
            scorer.encoder.set_baseline(node, baseline)
        scorer.encoder.advance(buffer.closed)
        self._restore_buffers(scorer, nodes, dict(baselines))
        self._restore_incidents(incidents, buffer.closed)
        # The library may have changed since then.
        rename_conditions(nodes, json.loads(facts["conditions"]), scorer.matcher.conditions)

    def _restore_nodes(self, nodes: NodeTable, buffer: WatermarkBuffer) -> list[tuple[int, NodeBaseline]]:
        rows = list(self._store.nodes())
        nodes.index((row[1] for row in rows), (row[2] for row in rows))
        self._saved_nodes = len(rows)
        for _, name, network, _ in rows:
            buffer.register(name, network)
        columns = {_STORED_COLUMNS.get(name, name): name for name in COLUMNS}
        for name, data in self._store.counters().items():
            nodes[columns[name]][:] = np.frombuffer(data, np.int64)
        width = len(self._model.catalogue)
        return [(node, _baseline_from(data, width)) for node, _, _, data in rows if data is not None]

    def _restore_buffers(self, scorer: Scorer, nodes: NodeTable, baselines: Mapping[int, NodeBaseline]) -> None:
        encoder = scorer.encoder
        for frame in self._store.frames(_WARMING):
            indices = np.frombuffer(frame.nodes, np.int32)
            for node, row in zip(
                indices.tolist(), np.frombuffer(frame.data, np.float32).reshape(len(indices), -1), strict=True
            ):
                nodes.keep_minute(node, frame.minute, row)
        for node in nodes.warming:  # without the minutes of rejected baselines
            nodes.trim(node, scorer.baseline.minutes if node in baselines else int(nodes["observed_minutes"][node]))
        for node in [node for node in nodes.warming if node in baselines]:
            encoder.set_baseline(
                node, baselines[node], nodes.history(node, self._interval_us, self._model.catalogue.names)
            )
            nodes.finish_warm_up(node)
        scaled = {frame.minute: frame.data for frame in self._store.frames(_SCALED)}
        for frame in self._store.frames(_CODES):
            slots = np.frombuffer(frame.nodes, np.int32).astype(np.int64)
            codes = np.frombuffer(frame.data, encoder.dtype).reshape(len(slots), *encoder.code_shape)
            data = scaled.get(frame.minute)
            values = None if data is None else np.frombuffer(data, encoder.dtype).reshape(len(slots), -1)
            encoder.restore(frame.minute, slots, codes, values)

    def _restore_incidents(self, incidents: Incidents, closed: int) -> None:
        since = (closed - incidents.rules.flap_minutes) * self._interval_us
        for incident in self._store.incidents(max(since, 0)):
            if incident.cleared_us is None:
                incidents.open[incident.node] = incident
            else:
                number = min((incident.cleared_us - 1) // self._interval_us, closed)
                incidents.cleared.setdefault(incident.node, []).append(number)


def _frames(verdicts: MinuteVerdicts) -> Iterator[StateFrame]:
    if verdicts.step_record is not None and len(verdicts.stepped):
        indices = verdicts.stepped.astype(np.int32).tobytes()
        yield StateFrame(_SCALED, verdicts.number, indices, verdicts.step_record.values.data)
        yield StateFrame(_CODES, verdicts.number, indices, verdicts.step_record.codes.data)
    warming = np.flatnonzero(~np.isin(verdicts.nodes, verdicts.stepped, assume_unique=True))
    if len(warming):
        indices = verdicts.nodes[warming].astype(np.int32).tobytes()
        yield StateFrame(_WARMING, verdicts.number, indices, verdicts.values[warming].tobytes())


def verdicts(store: Store, interval_us: int) -> pl.DataFrame:
    """The kept VERDICTS, sorted by node and time."""
    return unpack(store.verdicts(), [name for _, name, _, _ in store.nodes()], interval_us)


_PROFILE: Final = ("centre", "spread", "event_count", "value_count")


def _baseline_bytes(baseline: NodeBaseline) -> bytes:
    """float32: number of minutes, four arrays of the profile, the mean, the short mean (NaN: none)."""
    profile = baseline.profile
    short_mean = np.full_like(baseline.mean, np.nan) if baseline.short_mean is None else baseline.short_mean
    parts = [
        np.array([profile.minutes], np.float32),
        *(getattr(profile, name) for name in _PROFILE),
        baseline.mean,
        short_mean,
    ]
    return np.concatenate(parts).astype(np.float32).tobytes()


def _baseline_from(data: bytes, features: int) -> NodeBaseline:
    numbers = np.frombuffer(data, np.float32)
    arrays = [numbers[1 + at * features : 1 + (at + 1) * features] for at in range(len(_PROFILE))]
    mean, short_mean = np.split(numbers[1 + len(_PROFILE) * features :], 2)
    return NodeBaseline(Profile(int(numbers[0]), *arrays), mean, None if np.isnan(short_mean).any() else short_mean)
