"""The true condition of windows, and which of them count."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import labels, minute, minutes

from faultprint.errors import LabelError
from faultprint.evaluation.truth import scored, truth
from faultprint.windows.series import build_series


def truth_of(number: int, *faults: tuple[int, int, str], gaps: tuple[int, ...] = ()) -> pl.DataFrame:
    nodes = build_series(minutes("alpha-1", number, gaps=gaps), ["node.ser"])
    return truth(nodes, labels("alpha-1", number, faults), window=60)


def at(frame: pl.DataFrame, number: int) -> tuple[str | None, int]:
    row = frame.filter(pl.col("minute") == minute(number))
    return row["truth"].item(), row["exposed"].item()


def test_a_window_is_normal_only_if_all_its_minutes_are() -> None:
    frame = truth_of(200, (100, 110, "bye-slow"))
    assert [at(frame, number) for number in (58, 59, 99, 100, 109, 168, 169)] == [
        (None, 0),
        ("normal", 0),
        ("normal", 0),
        ("bye-slow", 1),
        ("bye-slow", 10),
        ("bye-slow", 1),
        ("normal", 0),
    ]


def test_only_observed_minutes_have_a_row() -> None:
    assert len(truth_of(200, gaps=(70, 71))) == 198


def test_labels_of_unknown_nodes_are_refused() -> None:
    nodes = build_series(minutes("alpha-1", 100), ["node.ser"])
    with pytest.raises(LabelError, match="beta-1"):
        truth(nodes, labels("beta-1", 100, []), window=60)


def test_uncounted_windows_have_no_truth_and_a_missing_verdict_is_wrong() -> None:
    frame = truth_of(100)
    counted = frame.select("node", "minute")[80:]
    columns = pl.lit("normal").alias("condition"), pl.lit(False).alias("ongoing")
    verdicts = frame.select("node", "minute", *columns)[:90]
    table = scored(verdicts, frame, counted)
    assert table["truth"].to_list() == [None] * 80 + ["normal"] * 20
    assert table["verdict"].to_list() == ["normal"] * 90 + ["warming-up"] * 10
