"""Normal traffic is consistent: times, counters and dialogs agree."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from faultprint import storage
from faultprint.tables import TRANSACTIONS
from faultprint_lab.simulate.run import START, build_scenario, network_of, run_episodes, simulate_network
from faultprint_lab.simulate.scenario import Scenario

SECONDS = 1e6


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def day(request: pytest.FixtureRequest) -> pl.DataFrame:
    return simulate_network(request.param, 1, 6)[0]


def _after(column: str) -> pl.Expr:
    return (pl.col(column) - pl.col("start")).dt.total_microseconds() / SECONDS


def test_rows_follow_the_table_schema(day: pl.DataFrame) -> None:
    storage.check_schema(day.schema, TRANSACTIONS, "simulated")
    storage.check_values(day, TRANSACTIONS, "simulated")
    assert day.columns == list(TRANSACTIONS.names)
    assert set(day["protocol"].unique()) == {"SIP"}
    assert set(day["interface"].unique()) == {"Gm", "Mw"}


def test_timestamps_are_in_order(day: pl.DataFrame) -> None:
    assert day.filter(pl.col("completion") < pl.col("start")).is_empty()
    assert day.filter(pl.col("provisional") < pl.col("start")).is_empty()
    assert day.filter(pl.col("ringing") < pl.col("provisional")).is_empty()
    assert day.filter(pl.col("ringing").is_not_null() & pl.col("provisional").is_null()).is_empty()
    assert day.filter(pl.col("ringing") > pl.col("completion")).is_empty()
    assert day.filter(pl.col("status").is_not_null() & pl.col("completion").is_null()).is_empty()


def test_a_timeout_ends_after_thirty_two_seconds(day: pl.DataFrame) -> None:
    timed_out = day.filter(pl.col("status").is_null() & pl.col("completion").is_not_null())
    assert timed_out.height > 0
    assert timed_out.select(_after("completion").alias("end"))["end"].to_list() == pytest.approx(
        [32.0] * timed_out.height
    )


def test_retransmissions_follow_the_timers(day: pl.DataFrame) -> None:
    """None if the response comes before T1; never more than Timer E allows, apart from lost responses."""
    prompt = day.filter((_after("completion") < 0.5) & (pl.col("response_retransmissions") == 0))
    assert prompt["retransmissions"].sum() == 0
    outgoing = day.filter(pl.col("direction") == "out")
    assert outgoing["retransmissions"].max() <= 10
    invites = outgoing.filter(pl.col("method").str.starts_with("INVITE"))
    assert invites["retransmissions"].max() <= 6
    ringing = invites.filter((pl.col("provisional") - pl.col("start")).dt.total_microseconds() < 0.5 * SECONDS)
    assert ringing["retransmissions"].sum() == 0


def test_messages_and_bytes_are_counted(day: pl.DataFrame) -> None:
    least = 1 + pl.col("retransmissions") + pl.col("response_retransmissions") + pl.col("provisional").is_not_null()
    assert day.filter(pl.col("messages") < least).is_empty()
    mean = day.select((pl.col("bytes") / pl.col("messages")).mean()).item()
    assert 300 < mean < 1800


def test_a_bye_has_the_length_of_its_call(day: pl.DataFrame) -> None:
    assert day.filter((pl.col("method") != "BYE") & pl.col("session_us").is_not_null()).is_empty()
    answered = day.filter(
        pl.col("method").is_in(["INVITE.originating", "INVITE.terminating"])
        & (pl.col("status") == 200)
        & (pl.col("direction") == "in")
    ).select("dialog", answered="completion")
    byes = day.filter((pl.col("method") == "BYE") & (pl.col("direction") == "in")).join(answered, on="dialog")
    known = byes.drop_nulls("session_us")
    assert known.height > 50
    length = (known["start"] - known["answered"]).dt.total_microseconds()
    assert (length - known["session_us"]).abs().max() <= 2


def test_a_bye_without_its_call_has_no_length(day: pl.DataFrame) -> None:
    calls = day.filter(pl.col("method").str.starts_with("INVITE") & (pl.col("status") == 200))
    orphans = day.filter(pl.col("method") == "BYE").join(calls, on="dialog", how="anti")
    assert orphans["session_us"].drop_nulls().len() < 0.02 * max(day.filter(pl.col("method") == "BYE").height, 1)


def test_both_legs_of_a_call_share_dialog_and_user(day: pl.DataFrame) -> None:
    calls = day.filter(pl.col("method") == "INVITE.originating").sort("start")
    incoming = calls.filter(pl.col("direction") == "in").select("dialog", "user", "start")
    outgoing = (
        calls.filter(pl.col("direction") == "out").select("dialog", "user", "start").unique("dialog", keep="first")
    )
    pairs = outgoing.join(incoming.unique("dialog", keep="first"), on="dialog", suffix="_in")
    assert pairs.height == outgoing.height
    assert (pairs["user"] == pairs["user_in"]).all()
    assert (pairs["start"] >= pairs["start_in"]).all()
    assert set(calls.filter(pl.col("direction") == "out")["interface"]) == {"Mw"}
    assert set(calls.filter(pl.col("direction") == "in")["interface"]) == {"Gm"}


@pytest.mark.parametrize("index", range(6))
def test_registrations_are_challenged_then_accepted_then_refreshed(index: int) -> None:
    rows, _ = simulate_network(index, 0.5, 6, episodes_per_day=0, disturbances_per_day=0)
    first = rows.filter((pl.col("method") == "REGISTER.initial") & (pl.col("direction") == "in"))
    counts = dict(first["status"].value_counts().iter_rows())
    assert counts[401] == pytest.approx(counts[200], rel=0.1)
    assert counts[401] + counts[200] > 0.8 * first.height
    assert rows.filter(pl.col("method") == "REGISTER.refresh").height > first.height


@pytest.fixture(scope="module")
def without_faults() -> Scenario:
    return build_scenario(network_of(5, 6), 0.5, START, np.random.default_rng(5))


def test_disturbances_change_the_traffic_only_a_little(without_faults: Scenario) -> None:
    undisturbed = run_episodes(without_faults, [], START, np.random.default_rng(1), disturbances_per_day=0)
    disturbed = run_episodes(without_faults, [], START, np.random.default_rng(1), disturbances_per_day=16)
    assert not disturbed.equals(undisturbed)
    assert disturbed.height == pytest.approx(undisturbed.height, rel=0.15)
    failed = pl.col("status").is_between(500, 599) | pl.col("status").is_null()
    shares = [rows.select(failed.mean()).item() for rows in (undisturbed, disturbed)]
    assert abs(shares[1] - shares[0]) < 0.02


def test_networks_differ() -> None:
    networks = [network_of(index, 1) for index in range(60)]
    peaks = np.array([network.load.peak for network in networks])
    assert peaks.min() < 90 < 300 < peaks.max()
    assert np.quantile([network.habits.refresh for network in networks], [0.1, 0.9]) == pytest.approx(
        [770, 5600], rel=0.4
    )
    for failure in networks[0].failure_responses:
        assert len({network.failure_responses[failure][0].codes for network in networks}) > 1
    for habit in ("answers_100", "prack", "reg_event", "challenged_invites", "bye_unknown"):
        assert len({getattr(network.habits, habit) > 0 for network in networks}) == 2
    assert {network.transport.tcp_core for network in networks} == {False, True}


def test_varied_episodes_have_the_same_times_and_other_traffic() -> None:
    plain, varied, again = (
        simulate_network(3, 0.6, 8, episodes_per_day=8, disturbances_per_day=0, vary_episodes=vary)
        for vary in (False, True, True)
    )
    assert plain[1].equals(varied[1])
    assert not plain[0].equals(varied[0])
    assert varied[0].equals(again[0])
