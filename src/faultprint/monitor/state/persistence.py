"""Persistence of the monitor: saved with each minute, restored before the first one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint.arrays import IntArray
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.monitor.base.log import Log
from faultprint.monitor.base.retry import RetryUntilWritten
from faultprint.monitor.detect.finiteness import sound_baseline, sound_codes
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import COLUMNS, NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer, rename_conditions
from faultprint.monitor.ingest.watermark import WatermarkBuffer
from faultprint.monitor.state.checksum import ChecksumError
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
        self._log = log
        self.damaged = 0
        """Stored values that could not be used."""
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
        record = MinuteRecord(
            facts={
                "model": self._model.id,
                "codes": scorer.encoder.codec_name,
                "closed": str(number),
                "conditions": json.dumps(scorer.matcher.conditions),
                **self.extra_facts(),
            },
            nodes=[(node, nodes.names[node], nodes.networks[node]) for node in nodes.added],
            baselines=dict.fromkeys(verdicts.not_finite)
            | {node: _baseline_bytes(baseline) for node, baseline in verdicts.baselines.items()},
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
            forget_nodes=tuple(nodes.forgotten),
        )
        self.retry_write.retry(lambda: self._store.save_minute(record), stop)
        nodes.added.clear()
        nodes.forgotten.clear()

    def save_commands(
        self,
        incidents: Sequence[Incident],
        messages: Sequence[tuple[str, Message]],
        done: Sequence[int],
        stop: Callable[[], bool],
    ) -> None:
        """Write the changes of the commands `done`, with the same retries as `save`."""
        self.retry_write.retry(lambda: self._store.save_commands(incidents, messages, done), stop)

    def put_back(self, number: int, nodes: NodeTable, stop: Callable[[], bool]) -> None:
        """Make this minute the last finished one in the state. Later minutes were stamped by a clock that was ahead."""
        nodes["last_minute"][:] = np.minimum(nodes["last_minute"], number)
        column = _STORED_COLUMNS["last_minute"]
        counters = {column: nodes["last_minute"].tobytes()}
        self.retry_write.retry(lambda: self._store.put_back(number, counters), stop)

    def restore(self, scorer: Scorer, nodes: NodeTable, incidents: Incidents, buffer: WatermarkBuffer) -> None:
        """Restore the monitor as the last finished minute left it.

        A stored number that is not finite, or a blob with another checksum, is logged: the baseline of that node is
        selected again, or that minute is a gap. Raises UsageError for the state of another model, or one that cannot be read.
        """
        facts = self._store.facts()
        if "model" not in facts:
            return  # no minute is finished yet
        if facts["model"] != self._model.id:
            raise UsageError(
                f"{self._store.state} belongs to model {facts['model']}, but the configuration names model {self._model.id}; "
                "embeddings of two models cannot be mixed: name another state file."
            )
        if facts.get("codes") != scorer.encoder.codec_name:
            raise UsageError(
                f"{self._store.state} keeps minutes as {facts.get('codes')}, not {scorer.encoder.codec_name}; "
                "set nodes.quantized to its old value, or name another state file."
            )
        try:
            buffer.closed = int(facts["closed"])
            baselines = self._restore_nodes(nodes, buffer)
            scorer.encoder.add_slots(len(nodes))
            for node, baseline in baselines.items():
                scorer.encoder.set_baseline(node, baseline)
            scorer.encoder.advance(buffer.closed)
            self._restore_buffers(scorer, nodes, baselines)
            self._restore_incidents(incidents, buffer.closed)
            # The library may have changed since then.
            rename_conditions(nodes, json.loads(facts["conditions"]), scorer.matcher.conditions)
        except (ChecksumError, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise self._store.damaged(f"{type(error).__name__}: {error}") from error

    def _restore_nodes(self, nodes: NodeTable, buffer: WatermarkBuffer) -> dict[int, NodeBaseline]:
        rows = list(self._store.nodes())
        columns = {_STORED_COLUMNS.get(name, name): name for name in COLUMNS}
        counters = {name: np.frombuffer(data, np.int64) for name, data in self._store.counters().items()}
        count = max([*map(len, counters.values()), *(row[0] + 1 for row in rows)], default=0)
        nodes.restore((row[:3] for row in rows), count)
        for _, name, network, _ in rows:
            buffer.register(name, network)
        for name, numbers in counters.items():
            nodes[columns[name]][:] = numbers
        baselines = {node: self._baseline(node, name, data) for node, name, _, data in rows if data is not None}
        sound = {node: baseline for node, baseline in baselines.items() if baseline is not None}
        for node in np.flatnonzero(nodes["baselined"] == 1).tolist():
            if node not in sound:
                nodes.reset(node)
        return sound

    def _baseline(self, node: int, name: str, data: bytes | ChecksumError) -> NodeBaseline | None:
        """A stored baseline; None if it cannot be used."""
        try:
            if isinstance(data, ChecksumError):
                raise data
            baseline = _baseline_from(data, len(self._model.catalogue), self._model.dimensions)
        except (ChecksumError, ValueError) as error:
            self._report(f"the baseline of node {name}: {error}")
            return None
        if sound_baseline(baseline):
            return baseline
        self._report(f"the baseline of node {name} holds a number that is not finite")
        return None

    def _report(self, detail: object) -> None:
        self.damaged += 1
        self._log("stored_value_unusable", detail=str(detail))

    def _restore_buffers(self, scorer: Scorer, nodes: NodeTable, baselines: Mapping[int, NodeBaseline]) -> None:
        encoder, features = scorer.encoder, len(self._model.catalogue)
        for frame in self._store.frames(_WARMING, self._report):
            indices, rows = _frame(frame, np.dtype(np.float32), (features,), len(nodes))
            for node, row in zip(indices.tolist(), rows, strict=True):
                if not np.isinf(row).any():
                    nodes.keep_minute(node, frame.minute, row)
        for node in nodes.warming:  # without the minutes of rejected baselines
            nodes.trim(node, scorer.baseline.minutes if node in baselines else int(nodes["observed_minutes"][node]))
        nodes.count_warm_up()
        for node in [node for node in nodes.warming if node in baselines]:
            encoder.set_baseline(
                node, baselines[node], nodes.history(node, self._interval_us, self._model.catalogue.names)
            )
            nodes.finish_warm_up(node)
        scaled = {frame.minute: frame for frame in self._store.frames(_SCALED, self._report)}
        for frame in self._store.frames(_CODES, self._report):
            slots, codes = _frame(frame, encoder.dtype, encoder.code_shape, len(nodes))
            part = scaled.get(frame.minute)
            values = None if part is None else _frame(part, encoder.dtype, (features,), len(nodes))[1]
            sound = sound_codes(codes) & (True if values is None else ~np.isinf(values).any(axis=1))
            for node in slots[~sound & (nodes["baselined"][slots] == 1)].tolist():
                self._report(f"minute {frame.minute} of node {nodes.names[node]} holds a number that is not finite")
                nodes.reset(node)
            kept = sound & (nodes["baselined"][slots] == 1)
            if not kept.all():
                slots, codes, values = slots[kept], codes[kept], None if values is None else values[kept]
            encoder.restore(frame.minute, slots, codes, values)

    def _restore_incidents(self, incidents: Incidents, closed: int) -> None:
        since = max((closed - incidents.rules.flap_minutes) * self._interval_us, 0)
        try:
            stored = list(self._store.incidents(since))
        except UsageError:
            self._store.set_damaged_incidents_aside()
            stored = list(self._store.incidents(since))
        for identity in self._store.set_aside:
            self._report(f"incident {identity} was moved to the dead letters")
        for incident in stored:
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
    rows = {node: name for node, name, *_ in store.nodes()}
    names = [rows.get(node, "") for node in range(max(rows, default=-1) + 1)]
    return unpack(store.verdicts(), names, interval_us)


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


def _baseline_from(data: bytes, features: int, dimensions: int) -> NodeBaseline:
    """Raises ValueError for another size."""
    numbers = np.frombuffer(data, np.float32)
    if len(numbers) != 1 + len(_PROFILE) * features + 2 * dimensions or not 0 <= numbers[0] < 1e9:
        raise ValueError(f"{len(numbers)} numbers are no baseline")
    arrays = [numbers[1 + at * features : 1 + (at + 1) * features] for at in range(len(_PROFILE))]
    mean, short_mean = np.split(numbers[1 + len(_PROFILE) * features :], 2)
    return NodeBaseline(Profile(int(numbers[0]), *arrays), mean, None if np.isnan(short_mean).any() else short_mean)


def _frame(
    frame: StateFrame, dtype: np.dtype[Any], shape: tuple[int, ...], count: int
) -> tuple[IntArray, npt.NDArray[Any]]:
    """(n,) indices and (n, *shape) rows of a frame. Raises ValueError for other sizes, or an index from `count` on."""
    indices = np.frombuffer(frame.nodes, np.int32).astype(np.int64)
    if len(indices) and not (indices.min() >= 0 and indices.max() < count):
        raise ValueError(f"minute {frame.minute} has an unknown node")
    return indices, np.frombuffer(frame.data, dtype).reshape(len(indices), *shape)
