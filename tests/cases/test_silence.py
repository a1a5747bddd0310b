"""A node that is listened to and says nothing is never normal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.synthetic import minute, minutes

from faultprint.cases.baseline import Baseline
from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.silence import FIRST_MINUTES, RequestHistory, advance, is_silent, silent_minutes
from faultprint.embedding.model import Model
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import Series

REQUESTS = "in.other.attempts"
COUNTS = [feature.name for feature in SIP_CATALOGUE.features if feature.kind == "count"]


def series(requests: list[int], gaps: Collection[int] = ()) -> Series:
    observed = np.array([number not in gaps for number in range(len(requests))], np.bool_)
    values = np.where(observed, np.array(requests, np.float32), np.nan)[:, None].astype(np.float32)
    return Series("n", "net", 0, 60_000_000, (REQUESTS,), values, observed)


def first_silent(requests: list[int]) -> int | None:
    found = np.flatnonzero(silent_minutes(series(requests)))
    return int(found[0]) if len(found) else None


def drawn(rate: float, number: int, dispersion: float = 2.0, seed: int = 1) -> list[int]:
    rng = np.random.default_rng(seed)
    return [int(x) for x in rng.negative_binomial(rate / (dispersion - 1), 1 / dispersion, number)]


def quiet_from(table: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """The table with minutes in which nothing is counted."""
    inside = pl.col("minute").is_between(minute(first), minute(last), closed="left")
    others = [name for name in SIP_CATALOGUE.names if name not in COUNTS]
    return table.with_columns(
        *(pl.when(inside).then(0.0).otherwise(pl.col(name)).cast(pl.Float32).alias(name) for name in COUNTS),
        *(pl.when(inside).then(None).otherwise(pl.col(name)).alias(name) for name in others),
    )


@pytest.mark.parametrize(("rate", "within"), [(30, 3), (100, 2), (1000, 2), (10, 12)])
@pytest.mark.parametrize("seed", range(5))
def test_the_busier_the_node_the_sooner_it_is_silent(rate: float, within: int, seed: int) -> None:
    before = drawn(rate, 120, seed=seed)
    found = first_silent([*before, *[0] * 60])
    assert found is not None and 120 <= found < 120 + within


def test_an_idle_node_is_not_silent() -> None:
    """One request every half hour, every hour's burst, and a night with a twentieth of the day's traffic."""
    assert first_silent([1, *[0] * 29] * 20) is None
    assert not silent_minutes(series(([400] + [0] * 55) * 12))[60:].any()
    evening = [max(1, int(20 * 0.95**number)) for number in range(120)]
    assert first_silent([*[20] * 60, *evening]) is None


def test_a_node_that_was_never_heard_is_silent_until_it_is_heard() -> None:
    assert silent_minutes(series([0, 0, 0, 0, 5, 0, 5])).tolist() == [False, False, True, True, False, False, False]
    assert FIRST_MINUTES == 3


def test_silence_does_not_become_normal_and_a_gap_is_no_silence() -> None:
    requests = [*drawn(50, 60), *[0] * 600, *drawn(50, 5), *[0] * 10]
    silent = silent_minutes(series(requests))
    assert silent[62:660].all() and not silent[660:665].any() and silent[667:].all()
    gaps = {*range(60, 120)}
    assert not silent_minutes(series(drawn(50, 180), gaps)).any()


def test_a_catalogue_without_requests_has_no_silence() -> None:
    table = Series("n", "net", 0, 60_000_000, ("cpu",), np.zeros((50, 1), np.float32), np.ones(50, np.bool_))
    assert not silent_minutes(table).any()


@given(
    st.lists(st.lists(st.sampled_from([0, 0, 0, 1, 7, 300, 10**9]), min_size=40, max_size=40), min_size=1, max_size=4)
)
def test_many_nodes_at_once_equal_each_alone(nodes: list[list[int]]) -> None:
    state = RequestHistory(*(np.zeros(len(nodes), np.int64) for _ in RequestHistory._fields))
    together = []
    for requests in np.minimum(np.array(nodes, np.int64), 1_000_000).T:
        state = advance(state, requests)
        state = state._replace(silent=is_silent(state).astype(np.int64))
        together.append(state.silent == 1)
        assert all((number >= 0).all() for number in state)
    assert np.array(together).T.tolist() == [silent_minutes(series(node)).tolist() for node in nodes]


@pytest.fixture(scope="module")
def library(model: Model) -> Library:
    opened = Library.open(":memory:")
    table = minutes("alpha-1", 240, [(120, 150, "bye-slow")], seed=1)
    opened.add(
        [
            enrol(
                table,
                Enrolment("bye-slow", (minute(120), minute(150))),
                model,
                created=datetime(2026, 2, 1, tzinfo=UTC),
            )
        ]
    )
    return opened


def test_verdicts_say_no_traffic(model: Model, library: Library) -> None:
    table = quiet_from(minutes("beta-1", 300, seed=2), 150, 200)
    verdicts = identify(table, model, library, persistence=3)
    quiet = verdicts.filter(pl.col("minute").is_between(minute(152), minute(200), closed="left"))
    assert "normal" not in quiet["condition"].to_list() and quiet["condition"][0] == "no-traffic"
    assert verdicts["condition"][299] == "normal"


def test_a_node_without_any_traffic_gets_no_baseline(model: Model, library: Library) -> None:
    silent = quiet_from(minutes("beta-1", 200, seed=2), 0, 200)
    verdicts = identify(pl.concat([silent, minutes("beta-2", 200, seed=3)]), model, library)
    first, second = (verdicts.filter(pl.col("node") == name)["condition"].to_list() for name in ("beta-1", "beta-2"))
    assert first == ["warming-up"] * 2 + ["no-traffic"] * 198
    assert "no-traffic" not in second and second[-1] == "normal"


def test_a_late_start_takes_the_first_hour_with_traffic(model: Model, library: Library) -> None:
    table = quiet_from(minutes("beta-1", 300, seed=2), 0, 120)
    conditions = identify(table, model, library, baseline=Baseline.first(60))["condition"].to_list()
    assert set(conditions[2:120]) == {"no-traffic"} and set(conditions[120:180]) == {"warming-up"}
    assert conditions[-1] == "normal"
