"""The outbox and its courier: in order, once, again until received; nothing dropped without a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from faultprint.errors import StateError
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.deliver.delivery import DeliveryWorker
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.monitor.deliver.sink import Sink
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Incident, Severity
from faultprint.publish.message import DeliveryOutcome, Message
from faultprint.publish.routes import json_line_messages
from faultprint.publish.senders.backoff import Backoff

from .conftest import Log
from .receivers import Moody

MINUTE = 60_000_000
SINK = "sink"


def incidents(count: int) -> list[Incident]:
    return [
        Incident.begin("n", "net", "overload", Severity.MAJOR, number * MINUTE, number * MINUTE)
        for number in range(count)
    ]


def messages(count: int) -> list[tuple[str, Message]]:
    return [(SINK, message) for incident in incidents(count) for message in json_line_messages(incident)]


@pytest.fixture
def place(state: StateLocation) -> Iterator[StateLocation]:
    """A state in which five messages wait."""
    with Store(state) as store:
        store.save_commands(incidents(5), messages(5))
        yield state


@contextmanager
def courier(place: StateLocation, sender: Moody, log: Log, limit: int = 100) -> Iterator[DeliveryWorker]:
    one = DeliveryWorker(
        Sink(SINK, json_line_messages, sender),
        place,
        limit,
        Backoff(initial_s=0, max_s=0),
        np.random.default_rng(1),
        ReplayClock(),
        log,
    )
    one.start()
    try:
        yield one
    finally:
        one.stop()
    assert sender.closed


def test_messages_come_in_order_and_once(place: StateLocation) -> None:
    sender = Moody()
    with courier(place, sender, Log()) as one:
        assert one.drain(10)
    assert sender.received == [message for _, message in messages(5)]
    assert one.counts.delivered == 5 and one.counts.tried_seconds == 0
    again = Moody()
    with courier(place, again, Log()) as one:
        assert one.drain(10)
    assert again.received == []


@pytest.mark.parametrize("trouble", [DeliveryOutcome.RETRY, DeliveryOutcome.REFUSED, OSError("a broken promise")])
def test_what_cannot_be_delivered_now_is_tried_again_in_order(
    place: StateLocation, trouble: DeliveryOutcome | Exception
) -> None:
    sender, log = Moody([DeliveryOutcome.DELIVERED, trouble, trouble, trouble]), Log()
    with courier(place, sender, log) as one:
        assert one.drain(10)
    assert sender.received == [message for _, message in messages(5)]
    assert one.counts.retried == 3
    assert log.events() == ["sink_unreachable", "sink_reachable"]  # said once, not three times


def test_what_is_rejected_is_put_aside_and_told(place: StateLocation) -> None:
    sender, log = Moody([DeliveryOutcome.DELIVERED, DeliveryOutcome.REJECTED]), Log()
    with courier(place, sender, log) as one:
        assert one.drain(10)
    wanted = [message for _, message in messages(5)]
    assert sender.received == [wanted[0], *wanted[2:]]
    assert log.events() == ["messages_dead_lettered"]
    outbox = Outbox(place, SINK, 100)
    assert outbox.dead_letters() == [(wanted[1].id, "was rejected")]
    outbox.close()


def test_too_many_waiting_put_the_oldest_aside_and_tell(place: StateLocation) -> None:
    sender, log = Moody(), Log()
    with courier(place, sender, log, limit=2) as one:
        assert one.drain(10)
    wanted = [message for _, message in messages(5)]
    assert sender.received == wanted[3:]
    assert one.counts.overflowed == 3 and log.events() == ["messages_dead_lettered"]
    outbox = Outbox(place, SINK, 2)
    assert [identity for identity, _ in outbox.dead_letters()] == [
        message.id for message in wanted[1:3]
    ]  # bounded, too
    outbox.close()


def test_a_courier_stops_although_its_sink_is_away(place: StateLocation) -> None:
    sender = Moody([DeliveryOutcome.RETRY] * 1_000_000)
    begin = time.monotonic()
    with courier(place, sender, Log()) as one:
        while not one.counts.unreachable:
            assert time.monotonic() - begin < 20
            time.sleep(0.01)
        assert not one.drain(0.05)
        assert one.counts.waiting == 5 and one.counts.tried_seconds > 0
    assert time.monotonic() - begin < 30
    outbox = Outbox(place, SINK, 100)
    assert len(outbox) == 5
    outbox.close()


def test_what_was_delivered_is_not_sent_again_because_the_state_was_away(
    place: StateLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts cannot be written twice in a row, and once the outbox cannot be read."""
    outages = {"delivered": [True, True], "oldest": [True]}
    for name, left in outages.items():
        original = getattr(Outbox, name)

        def act(*words: Any, original: Any = original, left: list[bool] = left) -> Any:
            if left and left.pop():
                raise StateError("away")
            return original(*words)

        monkeypatch.setattr(Outbox, name, act)
    sender = Moody()
    with courier(place, sender, Log()) as one:
        assert one.drain(10)
    assert sender.received == [message for _, message in messages(5)]
    assert not any(outages.values()) and one.counts.delivered == 5
