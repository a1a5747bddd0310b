"""The consumer of a member, when the client library itself does not return."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("confluent_kafka")

from faultprint.monitor.config.kafka import KafkaSettings, Payload
from faultprint.monitor.kafka import subscription
from faultprint.monitor.kafka.subscription import Subscription

from ..conftest import Log


class HangingConsumer:
    """A consumer whose `close` does not return until `released` is set."""

    def __init__(self, released: threading.Event) -> None:
        self.released = released

    def close(self) -> None:
        self.released.wait(60)


@pytest.mark.parametrize(("answered", "events"), [(False, ["leave_timeout"]), (True, [])])
def test_leaving_ends_even_if_the_brokers_never_answer(
    answered: bool, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "LEAVE_TIMEOUT_S", 0.2)
    log, released = Log(), threading.Event()
    cluster: Any = SimpleNamespace(consumer=lambda options: HangingConsumer(released))
    member = Subscription(KafkaSettings("127.0.0.1:1", "group", "minutes", Payload.MINUTES), cluster, log)
    if answered:
        released.set()
    started = time.monotonic()
    member.leave()
    assert time.monotonic() - started < 10
    assert log.events() == events
    released.set()
