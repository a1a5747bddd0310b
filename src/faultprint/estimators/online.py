"""A classifier of one minute after the other, with the methods of river, which it does not need."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.api import CONFIRM_MINUTES, File, load_model, open_library
from faultprint.arguments import moment_argument, shown, text_argument
from faultprint.arrays import Float64Array
from faultprint.cases.baseline import Baseline
from faultprint.cases.enrol import MIN_FAULT_MINUTES
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.condition_name import check_condition
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.monitor.detect.stream import Stream
from faultprint.tables import MINUTES, NORMAL


@dataclass(slots=True)
class _Lesson:
    """The windows that one condition had on one node: the sum of their vectors (D,), and how many they are."""

    network: str
    start: datetime
    end: datetime
    total: Float64Array
    windows: int = 0


@dataclass(slots=True)
class _Heard:
    """One node: its stream, its last minute with the verdict, and the label of its last `run` learned minutes."""

    stream: Stream
    network: str
    minute: datetime
    verdict: str | None = None
    label: str = NORMAL
    run: int = 0
    taught: datetime | None = None


class OnlineClassifier:
    """Judges minutes as they arrive, with `Stream`, and learns faults from labelled ones: the methods of river.

    x is a dict of one node-minute: node, minute (a datetime or an ISO 8601 text) and features by name; also network and
    observed (0 to 1), if they are known. A feature that is absent, None or NaN has no value. A row of MINUTES is such a dict.
    Minutes of one node come in the order of time; nodes may be mixed.

    A fault is learned from the tenth labelled minute in a row on, as the mean vector of the windows that end in them.

    >>> import faultprint as fp
    >>> online = fp.OnlineClassifier()
    >>> online.predict_one({"node": "pcscf1", "minute": "2026-01-05T09:00", "node.ser": 0.9})
    'warming-up'
    """

    def __init__(
        self,
        model: Model | File | None = None,
        library: Library | File | None = None,
        *,
        baseline: Baseline | None = None,
        confirm_minutes: int = CONFIRM_MINUTES,
    ) -> None:
        """The library is read once and never changed.

        model, library   objects or paths; default: those that `load_model` and `open_library` choose
        baseline         Baseline.first() or Baseline.robust(), without an interval
        confirm_minutes  minutes that must agree before the verdict changes

        Raises ModelError, LibraryError or UsageError.
        """
        self._model = model if isinstance(model, Model) else load_model(model)
        with nullcontext(library) if isinstance(library, Library) else open_library(library) as opened:
            self._references = opened.for_model(self._model.id, self._model.dimensions)
            self._new = Stream(self._model, opened, baseline=baseline, confirm_minutes=confirm_minutes)
        self._schema = pl.Schema(storage.schema(MINUTES) | dict.fromkeys(self._model.catalogue.names, pl.Float32()))
        self._nodes: dict[str, _Heard] = {}
        self._lessons: dict[tuple[str, str], _Lesson] = {}

    def predict_one(self, x: Mapping[str, Any]) -> str | None:
        """The verdict on the node at the end of this minute: a condition, unknown, no-traffic or warming-up.

        None for a minute that was observed for less than half of it. The last minute of a node may be asked again.
        Raises UsageError or TableError for a minute that cannot be used, or that is earlier than the last one.
        """
        return self._heard(x).verdict

    def learn_one(self, x: Mapping[str, Any], y: str) -> None:
        """Learn that the node had the condition `y`, such as "normal" or "hss-link-down", in this minute.

        Normal minutes teach nothing: a node's normal traffic is its baseline. Raises as `predict_one`, and LibraryError for a
        name that no condition can have.
        """
        condition = text_argument(y, "y")
        if condition != NORMAL:
            check_condition(condition)
        heard = self._heard(x)
        if heard.taught == heard.minute:
            raise UsageError(
                f"Minute {heard.minute.isoformat()} of node {x['node']!r} was learned before; pass the next one."
            )
        heard.taught = heard.minute
        heard.run = heard.run + 1 if condition == heard.label else 1
        heard.label = condition
        vector = heard.stream.vector(x["node"])
        if condition == NORMAL or heard.run < MIN_FAULT_MINUTES or vector is None or heard.verdict is None:
            return
        key = x["node"], condition
        lesson = self._lessons.setdefault(
            key, _Lesson(heard.network, heard.minute, heard.minute, np.zeros(len(vector)))
        )
        lesson.total += vector
        lesson.windows += 1
        lesson.end = heard.minute
        learned = [self._reference(*name, lesson) for name, lesson in self._lessons.items()]
        for stream in (self._new, *(known.stream for known in self._nodes.values())):
            stream.replace_references([*self._references, *learned])

    def _heard(self, x: Mapping[str, Any]) -> _Heard:
        """The node of `x` after this minute."""
        if not isinstance(x, Mapping) or "node" not in x or "minute" not in x:
            raise UsageError(
                f"x is {shown(x)}, but must be a dict with node, minute and features; pass a row of MINUTES."
            )
        node, minute = text_argument(x["node"], "node of x"), moment_argument(x["minute"], "minute of x")
        heard = self._nodes.get(node)
        if heard is not None and heard.minute == minute:
            return heard
        stream = self._new.fresh() if heard is None else heard.stream
        verdicts = stream.push(self._row(x, node, minute))
        if heard is None:
            heard = self._nodes[node] = _Heard(stream, str(x.get("network", "network")), minute)
        heard.minute = minute
        heard.verdict = None if verdicts.is_empty() else str(verdicts["condition"][0])
        return heard

    def _row(self, x: Mapping[str, Any], node: str, minute: datetime) -> pl.DataFrame:
        names = self._model.catalogue.names
        if not any(name in x for name in names):
            raise UsageError(f"x has no feature of the model, such as {names[0]!r}; pass a row of MINUTES.")
        observed = 1.0 if x.get("observed") is None else _number(x["observed"], "observed")
        row = (
            node,
            str(x.get("network", "network")),
            minute,
            observed,
            *(_number(x.get(name), name) for name in names),
        )
        return pl.DataFrame([row], schema=self._schema, orient="row")

    def _reference(self, node: str, condition: str, lesson: _Lesson) -> Reference:
        length = timedelta(microseconds=self._model.manifest.interval_us)
        mean = (lesson.total / lesson.windows).astype(np.float32)
        end = lesson.end + length
        return Reference(
            condition, mean, self._model.id, node, lesson.network, lesson.start, end, lesson.windows, created=end
        )


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} of x is {shown(value)}, but must be a number; pass a number or None.") from None
