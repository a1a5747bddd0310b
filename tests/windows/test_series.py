"""The grid of a series keeps gaps and minutes without traffic apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from faultprint.errors import TableError
from faultprint.windows.series import build_series

START = datetime(2026, 1, 5, tzinfo=UTC)


def minutes(*rows: tuple[str, float, float, float | None], network: str = "net") -> pl.DataFrame:
    """Rows of (node, minute, observed, x)."""
    return pl.DataFrame(
        {
            "node": [row[0] for row in rows],
            "network": [network] * len(rows),
            "minute": [START + timedelta(minutes=row[1]) for row in rows],
            "observed": [row[2] for row in rows],
            "x": [row[3] for row in rows],
        },
        schema_overrides={"minute": pl.Datetime("us", "UTC"), "observed": pl.Float32, "x": pl.Float32},
    )


def test_gaps_and_minutes_without_traffic() -> None:
    (series,) = build_series(minutes(("n", 3, 1, 7.0), ("n", 0, 1, 0.0), ("n", 1, 1, None)), ["x"])
    assert series.observed.tolist() == [True, True, False, True]
    assert np.array_equal(series.values[:, 0], np.array([0, np.nan, np.nan, 7], dtype=np.float32), equal_nan=True)
    assert series.minute_us.tolist() == [int((START + timedelta(minutes=m)).timestamp() * 1e6) for m in range(4)]


def test_a_minute_observed_for_a_small_share_is_a_gap() -> None:
    (series,) = build_series(minutes(("n", 0, 1, 5.0), ("n", 1, 0.2, 1.0)), ["x"])
    assert series.observed.tolist() == [True, False]
    assert np.isnan(series.values[1, 0])


def test_nodes_are_in_order_of_name() -> None:
    result = build_series(minutes(("b", 0, 1, 1.0), ("a", 5, 1, 2.0)), ["x"])
    assert [(series.node, len(series), float(series.values[0, 0])) for series in result] == [
        ("a", 1, 2.0),
        ("b", 1, 1.0),
    ]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("n", 0, 1, 1.0), ("n", 0.5, 1, 1.0)], "do not lie on a grid"),
        ([("n", 0, 1, 1.0), ("n", 0, 1, 1.0)], "two rows for one minute"),
        ([("n", 0, 1, 1.0), ("n", 30_000_000, 1, 1.0)], "correct wrong time stamps"),
    ],
)
def test_unusable_minutes(rows: list[tuple[str, float, float, float]], sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        build_series(minutes(*rows), ["x"])


def test_missing_feature_and_two_networks() -> None:
    with pytest.raises(TableError, match="lack feature 'y'"):
        build_series(minutes(("n", 0, 1, 1.0)), ["x", "y"])
    both = pl.concat([minutes(("n", 0, 1, 1.0)), minutes(("n", 1, 1, 1.0), network="other")])
    with pytest.raises(TableError, match="belongs to one"):
        build_series(both, ["x"])


def test_slices_are_views_with_their_own_start() -> None:
    (series,) = build_series(minutes(*[("n", m, 1, float(m)) for m in range(9)]), ["x"])
    part = series.slice(3, 6)
    assert part.values[:, 0].tolist() == [3, 4, 5]
    assert part.minute_us.tolist() == series.minute_us[3:6].tolist()
    assert np.shares_memory(part.values, series.values)
    with pytest.raises(ValueError, match="no part"):
        series.slice(4, 4)
