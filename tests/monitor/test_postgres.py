"""A monitor whose state is in a real PostgreSQL server: it restarts, connections break, addresses are wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from faultprint.errors import FaultprintError, StateError, UsageError
from faultprint.monitor.base.location import PostgresUrl, sibling
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, IncidentOperation

from .conftest import Deployment, Log, Watch, feed
from .postgres import Server
from .test_monitor import assert_same_verdicts, batch_verdicts, drained, told
from .test_store import record


@pytest.fixture
def frail(postgres: Server) -> Iterator[Server]:
    """The server, which is at work again after the test, whatever the test has done to it."""
    yield postgres
    postgres.stop()
    postgres.start()


def test_the_server_fails_and_comes_back(
    deployment: Deployment,
    traffic: pl.DataFrame,
    watch: Watch,
    frail: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The monitor waits, says so once, and nothing is lost or there twice; meanwhile people's words wait, too."""
    place, log, pauses = frail.fresh(), Log(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            frail.start()

    minute = traffic["minute"].unique().sort()
    with watch(log, state=place) as monitor:
        monkeypatch.setattr(monitor.persistence.retry_write, "sleep", sleep)
        feed(monitor, traffic.filter(pl.col("minute") <= minute[115]), end=False)
        frail.stop()
        feed(monitor, traffic.filter(pl.col("minute") <= minute[230]), end=False)
        drained(monitor)
        frail.break_connections()
        CommandQueue(place).submit(
            [*monitor.incidents.open.values()], IncidentOperation.COMMENT, Actor("u", "s", 1), "seen"
        )
        frail.break_connections()
        feed(monitor, traffic)
        drained(monitor)
    assert len(pauses) == 3
    assert log.events().count("write_failing") == log.events().count("write_recovered") <= 3
    with Store(place) as store:
        assert_same_verdicts(persistence.verdicts(store, 60_000_000), batch_verdicts(traffic, deployment))
    found = [(one["incident"], one["change"], one["sequence"]) for one in told(tmp_path)]
    assert len(found) == len({*found})
    for life in {one[0] for one in found}:
        assert [change for identity, change, _ in found if identity == life].count("onset") == 1


def test_a_monitor_that_is_put_out_ends_with_one_sentence(
    traffic: pl.DataFrame, watch: Watch, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultprint.monitor.state.postgres.LOCK_TIMEOUT_S", 0.3)
    place = postgres.fresh()
    with watch(state=place, sink=()) as monitor:
        feed(monitor, traffic[:5], end=False)
        monitor.store.database.close()  # as a broken connection does, it frees the lock
        with watch(state=place, sink=()), pytest.raises(UsageError, match="Another monitor is at work"):
            feed(monitor, traffic)
        with pytest.raises(UsageError, match="Another monitor has continued with"):
            feed(monitor, traffic)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:hush@127.0.0.1:1/none", "cannot be read or written"),
        ("postgresql://u:hush@127.0.0.1:none/none", "cannot be read or written"),
        ("postgresql://u:hush@127.0.0.1/none?modle=1", "is not a PostgreSQL URL"),
        ("postgresql://u:hush@[::1/none", "is not a PostgreSQL URL"),
    ],
)
def test_a_wrong_address_is_one_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(FaultprintError) as caught:
        Store(PostgresUrl(url)).close()
    assert sentence in str(caught.value) and "hush" not in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_place_for_a_state_is_refused(postgres: Server) -> None:
    postgres.do("CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    postgres.do("CREATE SCHEMA theirs")
    postgres.do("CREATE TABLE theirs.fact (name TEXT, value TEXT)")
    postgres.do("CREATE SCHEMA other")
    postgres.do("CREATE TABLE other.fact (x INTEGER)")
    for url, sentence in (
        (postgres.url("old"), "does not store text as UTF8"),
        (postgres.url(options="-csearch_path=theirs"), "not a monitor state of this version"),
        (postgres.url(options="-csearch_path=other"), "cannot be used as a monitor's state"),
        (postgres.url(options="-csearch_path=nowhere"), "cannot be used as a monitor's state"),
        (postgres.url("nowhere"), "cannot be read or written"),
    ):
        with pytest.raises(FaultprintError, match=sentence):
            Store(PostgresUrl(url))


def test_the_desk_of_a_server_that_is_away_is_one_sentence() -> None:
    with pytest.raises(StateError, match="cannot be read or written"):
        CommandQueue(PostgresUrl("postgresql://127.0.0.1:1/none"))


def test_a_writer_that_waits_for_a_lock_gives_up_and_tries_again(postgres: Server) -> None:
    """Somebody's LOCK TABLE must not hold the monitor for ever."""
    place = postgres.fresh()
    with Store(place) as store, Store(place) as other:
        store.database.execute("SET lock_timeout = '100ms'")
        begun = time.monotonic()
        with other.database.transaction():
            other.database.execute("LOCK TABLE fact")
            with pytest.raises(StateError):
                store.claim()
        assert time.monotonic() - begun < 5
        store.claim()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:a%40b@host:5432/db?sslmode=require", "postgresql://user@host:5432/db?sslmode=require"),
        ("postgresql://user:a/b?c@host/db", "postgresql://user@host/db"),
        ("postgresql://host:5432/db?user=u&password=hush&x=1", "postgresql://host:5432/db?user=u&x=1"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert str(PostgresUrl(url)) == shown
    assert "hush" not in repr(PostgresUrl(url))


def test_states_beside_one_another_know_nothing_of_each_other(postgres: Server) -> None:
    place = postgres.fresh()
    with Store(place) as one, Store(sibling(place, "replay")) as two:
        one.claim()
        two.claim()
        one.save_minute(record(3))
        two.save_minute(record(5))
        assert (one.facts()["closed"], two.facts()["closed"]) == ("3", "5")
        two.database.close()
        assert two.facts()["closed"] == "5"
    with Store(sibling(place, "replay")) as two:
        assert two.facts()["closed"] == "5"
    schema = place.url.rpartition("%3D")[2]
    assert postgres.ask(f"SELECT value FROM {schema}_replay.fact WHERE name = 'closed'") == [("5",)]


def test_a_killed_monitors_lock_is_waited_for(postgres: Server) -> None:
    """The server is in the midst of a statement of it, and only finds out afterwards."""
    place = postgres.fresh()
    with Store(place) as killed, Store(place) as successor:
        killed.claim()
        thread = threading.Timer(0.5, killed.close)
        thread.start()
        successor.claim()
        thread.join()
