"""Several VES events as one: bounded, in order, and one that is to blame is put aside alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultprint.monitor.deliver.delivery import DeliveryWorker
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.monitor.deliver.sink import Sink
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Incident, Severity
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.routes import json_line_messages, ves_messages
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.ves.batch import MAX_MESSAGE_BYTES, join_batch
from faultprint.publish.ves.event import BATCH_PATH, EVENT_PATH, VesSettings

from ..publish.schema import errors, needs_schemas, ves
from .conftest import Log

MINUTE = 60_000_000
Answer = Callable[[Message], Receipt]


def events(count: int) -> list[Message]:
    begun = (Incident.begin("n", "net", "overload", Severity.MAJOR, at * MINUTE, at * MINUTE) for at in range(count))
    return [message for incident in begun for message in ves_messages(incident, VesSettings())]


def inside(message: Message) -> list[str]:
    """The ids of the events that a message holds."""
    body = json.loads(message.body)
    found = body["eventList"] if message.path == BATCH_PATH else [body["event"]]
    return [event["commonEventHeader"]["eventId"] for event in found]


class Listener:
    """Answers as a function says; remembers what it was sent, and what it took."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.sent, self.taken = answer, list[Message](), list[str]()

    def send(self, message: Message) -> Receipt:
        self.sent.append(message)
        receipt = self.answer(message)
        if receipt.outcome is DeliveryOutcome.DELIVERED:
            self.taken += inside(message)
        return receipt

    def close(self) -> None:
        """Nothing to let go of."""


def delivered(listener: Listener, messages: Sequence[Message], folder: Path) -> tuple[Log, DeliveryWorker, list[Any]]:
    """Let a courier deliver; the log, the courier, and what was put aside."""
    path, log = folder / "state.db", Log()
    with Store(path) as store:
        store.save_commands([], [("v", message) for message in messages])
    one = DeliveryWorker(
        Sink("v", json_line_messages, listener, join_batch),
        path,
        100,
        Backoff(initial_s=0, max_s=0),
        np.random.default_rng(1),
        ReplayClock(),
        log,
    )
    one.start()
    try:
        assert one.drain(10)
    finally:
        one.stop()
    outbox = Outbox(path, "v", 100)
    aside = outbox.dead_letters()
    outbox.close()
    return log, one, aside


def takes(message: Message) -> Receipt:
    return Receipt(DeliveryOutcome.DELIVERED)


def test_what_waits_goes_as_one_batch_in_order(tmp_path: Path) -> None:
    listener, messages = Listener(takes), events(7)
    log, courier, _ = delivered(listener, messages, tmp_path)
    assert [message.path for message in listener.sent] == [BATCH_PATH]
    assert listener.taken == [identity for message in messages for identity in inside(message)]
    assert courier.counts.delivered == 7 and not log


def test_one_that_waits_goes_as_it_is(tmp_path: Path) -> None:
    listener = Listener(takes)
    delivered(listener, events(1), tmp_path)
    assert listener.sent == events(1)


@pytest.mark.parametrize("status", [400, 413])
def test_an_event_that_is_to_blame_is_put_aside_alone(tmp_path: Path, status: int) -> None:
    messages = events(5)
    (bad,) = inside(messages[2])
    wrong = Receipt(DeliveryOutcome.REJECTED, status=status, detail="no")
    listener = Listener(lambda message: wrong if bad in inside(message) else Receipt(DeliveryOutcome.DELIVERED))
    log, courier, aside = delivered(listener, messages, tmp_path)
    assert [message.path for message in listener.sent] == [BATCH_PATH] + [EVENT_PATH] * 5
    assert listener.taken == [identity for message in messages for identity in inside(message) if identity != bad]
    assert aside == [(messages[2].id, "no")]
    assert (courier.counts.delivered, courier.counts.rejected) == (4, 1)
    assert log.events() == ["batch_rejected", "messages_dead_lettered"]


def test_a_listener_without_batches_gets_single_events(tmp_path: Path) -> None:
    unknown = Receipt(DeliveryOutcome.REFUSED, status=404)
    listener = Listener(lambda message: unknown if message.path == BATCH_PATH else Receipt(DeliveryOutcome.DELIVERED))
    log, courier, _ = delivered(listener, events(3), tmp_path)
    assert len(listener.taken) == courier.counts.delivered == 3 and log.events() == ["batch_rejected"]


def test_a_batch_is_tried_again_as_it_was(tmp_path: Path) -> None:
    """So that a receiver which took it, but whose answer was lost, knows it by its id."""
    path, log, messages = tmp_path / "state.db", Log(), events(6)
    with Store(path) as store:
        store.save_commands([], [("v", message) for message in messages[:3]])

        def answer(message: Message) -> Receipt:
            if len(listener.sent) == 1:
                store.save_commands([], [("v", one) for one in messages[3:]])
            return Receipt(DeliveryOutcome.RETRY if len(listener.sent) < 3 else DeliveryOutcome.DELIVERED)

        listener = Listener(answer)
        pauses = Backoff(initial_s=0, max_s=0)
        one = DeliveryWorker(
            Sink("v", json_line_messages, listener, join_batch),
            path,
            100,
            pauses,
            np.random.default_rng(1),
            ReplayClock(),
            log,
        )
        one.start()
        try:
            assert one.drain(10)
        finally:
            one.stop()
    assert [len(inside(message)) for message in listener.sent] == [3, 3, 3, 3]
    assert len({message.id for message in listener.sent[:3]}) == 1
    assert len(listener.taken) == len(set(listener.taken)) == 6


def test_other_messages_and_giants_stand_alone() -> None:
    first, second = events(2)
    other = Message("x", "/else", "n", b"no JSON")
    assert join_batch([other, first]) == (other, 1)
    assert join_batch([first, other]) == (first, 1)
    giant = Message(
        "y",
        EVENT_PATH,
        "n",
        b'{"event":{"commonEventHeader":{"domain":"fault"},"x":"%s"}}' % (b"x" * MAX_MESSAGE_BYTES),
    )
    assert join_batch([giant, first]) == (giant, 1)
    assert join_batch([first, giant]) == (first, 1)
    message, count = join_batch([first, second, other])
    assert count == 2 and message.id == join_batch([first, second])[0].id != join_batch([second, first])[0].id


@needs_schemas
def test_a_batch_is_that_of_the_schema() -> None:
    schema = ves()
    message, count = join_batch(events(50))
    assert count == 50
    assert not list(errors(json.loads(message.body), schema, schema))
