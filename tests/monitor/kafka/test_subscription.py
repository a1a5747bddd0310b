"""A member's consumer, where the client library itself does not come back."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

pytest.importorskip("confluent_kafka")

from faultprint.monitor.config.kafka import KafkaSettings, Payload
from faultprint.monitor.kafka import subscription
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.publish.senders.kafka_client import KafkaCluster

from ..conftest import Log


class Deaf:
    """A consumer whose farewell is never answered."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def close(self) -> None:
        self.let_go.wait(60)


class Silent(KafkaCluster):
    """Brokers that do not answer."""

    def consumer(self, options: Any) -> Any:
        return Deaf()


@pytest.mark.parametrize(("answered", "told"), [(False, ["left without a word"]), (True, [])])
def test_a_farewell_that_is_never_answered_ends(
    answered: bool, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "LEAVE_S", 0.2)
    log = Log()
    one = Subscription(KafkaSettings("127.0.0.1:1", "group", "minutes", Payload.MINUTES), Silent("127.0.0.1:1"), log)
    if answered:
        one._consumer.let_go.set()  # type: ignore[attr-defined]
    begun = time.monotonic()
    one.leave()
    assert time.monotonic() - begun < 10
    assert log.events() == told
    one._consumer.let_go.set()  # type: ignore[attr-defined]
