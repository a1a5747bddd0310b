"""What a state must do, in whichever database it is."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from faultprint.errors import StateError, UsageError
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.monitor.state import postgres
from faultprint.monitor.state.store import MinuteRecord, StateFrame, Store
from faultprint.monitor.state.verdicts import PackedVerdicts
from faultprint.publish.incident import Actor, Incident, IncidentOperation, Severity
from faultprint.publish.message import Message
from faultprint.publish.routes import json_line_messages

MINUTE = 60_000_000
SINK = "sink"


def incident(number: int, node: str = "n") -> Incident:
    return Incident.begin(node, "net", "overload", Severity.MAJOR, number * MINUTE, number * MINUTE)


def sent(*incidents: Incident) -> list[tuple[str, Message]]:
    return [(SINK, message) for one in incidents for message in json_line_messages(one)]


def record(number: int) -> MinuteRecord:
    """A minute that leaves a little of everything."""
    begun = incident(number)
    return MinuteRecord(
        facts={"model": "m", "closed": str(number)},
        nodes=[(number, f"node {number} é", "net")],
        baselines={number: b"\x00normal\xff"},
        counters={"seen": bytes([number])},
        frames=[StateFrame("codes", number, b"\0\1", bytes(200_000)), StateFrame("warming", number, b"\2", b"")],
        forget={"codes": number - 1, "warming": number},
        verdicts=PackedVerdicts(number, b"\0rows", '["a"]', "{}"),
        keep_verdicts_from=number - 1,
        incidents=[begun],
        forget_incidents_us=0,
        messages=sent(begun),
    )


def waiting(state: StateLocation) -> list[Message]:
    outbox = Outbox(state, SINK, 100)
    found = [one.message for one in outbox.oldest()]
    outbox.close()
    return found


def test_what_a_minute_leaves_is_there_again(state: StateLocation) -> None:
    with Store(state) as store:
        for number in range(3):
            store.save_minute(record(number))
    with Store(state) as store:
        assert store.facts().items() >= {"model": "m", "closed": "2"}.items()
        assert list(store.nodes()) == [(n, f"node {n} é", "net", b"\x00normal\xff") for n in range(3)]
        assert store.counters() == {"seen": b"\2"}
        assert list(store.frames("codes", pytest.fail)) == [record(n).frames[0] for n in (1, 2)]
        assert list(store.frames("warming", pytest.fail)) == [record(2).frames[1]]
        assert list(store.verdicts()) == [record(n).verdicts for n in (1, 2)]
        assert list(store.incidents()) == [incident(n) for n in range(3)]
        assert store.incident(str(incident(1).identity)) == incident(1) and store.incident("none") is None
    assert waiting(state) == [message for n in range(3) for _, message in sent(incident(n))]


def test_a_minute_that_cannot_be_written_whole_is_not_written(state: StateLocation) -> None:
    """The last thing written fails; the next attempt succeeds."""

    class Broken(list[tuple[str, Message]]):
        def __iter__(self) -> Iterator[tuple[str, Message]]:
            yield from sent(incident(1))
            raise StateError("the plug was pulled")

    with Store(state) as store:
        store.claim()
        store.save_minute(record(0))
        before = store.facts(), store.counters(), list(store.nodes()), list(store.incidents())
        with pytest.raises(StateError):
            store.save_minute(replace(record(1), messages=Broken()))
        assert before == (store.facts(), store.counters(), list(store.nodes()), list(store.incidents()))
        assert len(waiting(state)) == 1
        store.save_minute(record(1))
    assert len(waiting(state)) == 2


def test_a_minute_whose_receipt_was_lost_is_written_once(state: StateLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(state) as store:
        store.claim()
        transaction = store.database.transaction

        @contextmanager
        def forgetful() -> Iterator[None]:
            with transaction():
                yield
            raise StateError("the connection broke after the commit")

        for write in (
            lambda: store.save_minute(record(0)),
            lambda: store.save_commands([incident(5)], sent(incident(5)), [1]),
        ):
            instructed(state, store)
            with monkeypatch.context() as patch:
                patch.setattr(store.database, "transaction", forgetful)
                with pytest.raises(StateError):
                    write()
            outbox = Outbox(state, SINK, 100)
            outbox.delivered(outbox.oldest())
            outbox.close()
            write()
            assert waiting(state) == [], "what has been delivered waits again"
        assert list(store.incidents()) == [incident(0), incident(5)]


def instructed(state: StateLocation, store: Store) -> None:
    """Leave an instruction about an incident that is there."""
    if found := list(store.incidents()):
        CommandQueue(state).submit(found[:1], IncidentOperation.COMMENT, Actor("u", "s", 1), "text")


def test_the_same_message_twice_is_one(state: StateLocation) -> None:
    with Store(state) as store:
        for _ in range(2):
            store.save_commands([incident(1)], sent(incident(1)))
        assert list(store.incidents()) == [incident(1)]
    assert waiting(state) == [message for _, message in sent(incident(1))]


def test_text_that_no_database_holds_is_made_plain(state: StateLocation) -> None:
    """Nobody's name or word may stop the monitor."""
    with Store(state) as store:
        store.save_commands([incident(1, "a\0b")], sent(incident(1, "a\0b")))
        (kept,) = store.incidents()
        CommandQueue(state).submit([kept], IncidentOperation.COMMENT, Actor("u\0", "s", 1), "half \ud800 a pair")
        assert store.commands()[0][3:] == ("u\ufffd", "s", 1, "half ? a pair")
        with pytest.raises(UsageError, match="knows no incident"):
            CommandQueue(state).incident("no\0thing")
    assert len(waiting(state)) == 1


def test_a_second_monitor_is_refused_while_the_first_is_there(
    state: StateLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_S", 0.3)
    with Store(state) as first, Store(state) as second:
        first.claim()
        with pytest.raises(UsageError, match="Another monitor is at work"):
            second.claim()
        first.save_minute(record(0))
    with Store(state) as third:
        third.claim()
        third.save_minute(record(1))


def test_who_lost_its_claim_writes_no_more(state: StateLocation) -> None:
    with Store(state) as first:
        first.claim()
        first.save_minute(record(0))
        lose(first, state)
        with Store(state) as second:
            second.claim()
        with pytest.raises(UsageError, match="Another monitor has continued with"):
            first.save_minute(record(1))
        assert first.facts()["closed"] == "0"


def lose(store: Store, state: StateLocation) -> None:
    """The claim goes, as with a broken connection, or where somebody has tidied up."""
    if isinstance(state, Path):
        state.with_name(state.name + ".lock").unlink()
    else:
        store.database.close()


def test_two_that_begin_at_once_make_one_state(state: StateLocation) -> None:
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(Store(state))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    for store in stores:
        store.close()


def test_what_is_no_state_file_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("no database, but long enough that it might be one" * 50)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    for path, sentence in (
        (text, "cannot be opened"),
        (other, "a database of another program"),
        (tmp_path / "no/s.db", "does not exist"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Store(path)
