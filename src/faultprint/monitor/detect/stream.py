"""The monitor's verdicts for minutes that a program pushes: without files, sockets, clocks or a state."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final, Self

import numpy as np
import polars as pl

from faultprint.arguments import instance_argument, whole_number
from faultprint.arrays import Float32Array
from faultprint.cases.baseline import Baseline
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.cases.thresholds import matcher_for, rule_for
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.frames import ArrowTable, as_table
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts, Scorer
from faultprint.tables import MINUTES
from faultprint.windows.series import MIN_OBSERVED_SHARE, feature_matrix

_SCHEMA: Final[dict[str, pl.DataType]] = {
    "node": pl.String(),
    "minute": pl.Datetime("us", "UTC"),
    "condition": pl.String(),
    "ongoing": pl.Boolean(),
    "probability": pl.Float64(),
    "distance": pl.Float64(),
    "runner_up": pl.String(),
    "margin": pl.Float64(),
    "evidence": pl.List(pl.String),
}


class Stream:
    """Scores minutes as they arrive, with the code of the live monitor.

    Push the rows of one or more minutes in the order of time. Each node is `warming-up` until it has its baseline.

    >>> import faultprint as fp
    >>> model = fp.load_model("model.faultprint")            # doctest: +SKIP
    >>> with fp.open_library("cases.db") as library:         # doctest: +SKIP
    ...     stream = fp.Stream(model, library)
    >>> stream.push(rows)["condition"].to_list()             # doctest: +SKIP
    ['normal', 'hss-link-down']
    """

    def __init__(
        self, model: Model, library: Library, *, baseline: Baseline | None = None, confirm_minutes: int = 3
    ) -> None:
        """The library is read once, and may be closed afterwards.

        baseline         Baseline.first() or Baseline.robust(), without an interval
        confirm_minutes  minutes that must agree before the verdict changes

        Raises ModelError, LibraryError or UsageError.
        """
        instance_argument(model, Model, "model", "what fp.load_model returns")
        instance_argument(library, Library, "library", "what fp.open_library returns")
        policy = instance_argument(
            baseline or Baseline.first(), Baseline, "baseline", "fp.Baseline.first() or robust()"
        )
        whole_number(confirm_minutes, "confirm_minutes")
        matcher = matcher_for(model, library.for_model(model.id, model.dimensions))
        rule = rule_for(model, library, confirm_minutes)
        self._scorer = Scorer(model, matcher, rule, policy)
        self._model = model
        self._nodes = NodeTable()
        self._last = -1
        self._vectors: dict[str, Float32Array] = {}

    def push(self, rows: ArrowTable) -> pl.DataFrame:
        """The verdicts for MINUTES rows: node, minute, condition, ongoing, probability, distance, runner_up, margin, evidence.

        ongoing      whether the fault is still there, by the last minutes alone
        probability  of the verdict's condition among those of the library

        `rows` is a frame of Polars or pandas, or a table of Arrow. Rows with less than half of their minute observed are
        gaps and get no verdict. Raises UsageError for a minute that is not later than the last one, or for a node that has
        two rows in a minute; TableError for rows that are no MINUTES.
        """
        interval_us = self._model.manifest.interval_us
        rows = as_table(rows, MINUTES, "rows", self._model.catalogue.names)
        kept = rows.filter(pl.col("observed") >= MIN_OBSERVED_SHARE)
        numbers = kept["minute"].dt.epoch("us").to_numpy() // interval_us
        scored = [
            self._score(number, kept.filter(pl.Series(numbers == number)), interval_us)
            for number in np.unique(numbers).tolist()
        ]
        return pl.concat([pl.DataFrame(schema=_SCHEMA), *scored])

    def fresh(self) -> Self:
        """A stream without minutes, with the same model, references, rule and baseline."""
        found, scorer = copy(self), self._scorer
        found._scorer = Scorer(self._model, scorer.matcher, scorer.rule, scorer.baseline)
        found._nodes, found._last, found._vectors = NodeTable(), -1, {}
        return found

    def vector(self, node: str) -> Float32Array | None:
        """(D,) the vector of the node's window that ends with the last minute pushed; None if it has no whole window.

        It is measured from the node's baseline.
        """
        return self._vectors.get(node)

    def replace_references(self, references: Sequence[Reference]) -> None:
        """Compare later minutes with these references of the model instead. The rule stays."""
        self._scorer.replace_references(matcher_for(self._model, references), self._scorer.rule, self._nodes)

    def _score(self, number: int, rows: pl.DataFrame, interval_us: int) -> pl.DataFrame:
        if number <= self._last:
            raise UsageError(
                f"Minute {number * interval_us} µs is not later than the last one pushed; push minutes in the order of time."
            )
        names, networks = (rows[name].cast(pl.String) for name in ("node", "network"))
        if names.n_unique() < len(names):
            raise UsageError("A node has two rows in one minute; push each node-minute once.")
        self._last = number
        observed = self._nodes.index(names, networks)
        values = feature_matrix(rows, self._model.catalogue.names)
        found = self._scorer.score(number, self._nodes, observed, values)
        if found.vectors is not None:
            nodes = found.nodes[found.windows].tolist()
            self._vectors = {self._nodes.names[node]: row for node, row in zip(nodes, found.vectors, strict=True)}
        return self._table(found, number * interval_us)

    def _table(self, verdicts: MinuteVerdicts, minute_us: int) -> pl.DataFrame:
        count = len(verdicts.nodes)
        why = [verdicts.explanation(row) for row in range(count)]
        return pl.DataFrame(
            {
                "node": [self._nodes.names[node] for node in verdicts.nodes.tolist()],
                "minute": pl.Series([minute_us] * count, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
                "condition": [verdicts.condition(row) for row in range(count)],
                "ongoing": verdicts.active,
                "probability": [reason.probability for reason in why],
                "distance": [reason.distance for reason in why],
                "runner_up": [reason.runner_up for reason in why],
                "margin": [reason.margin for reason in why],
                "evidence": [list(reason.evidence) or None for reason in why],
            },
            schema=_SCHEMA,
        )
