"""Control-loop events on a topic of a real broker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from faultprint.errors import UsageError
from faultprint.publish.control_loop import ControlLoopSettings
from faultprint.publish.message import DeliveryOutcome
from faultprint.publish.routes import control_loop_messages
from faultprint.publish.senders.endpoint import Basic, Certificate
from faultprint.publish.senders.kafka import KafkaSender, outcome_of
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint_lab.pages.publish import story

from ..broker import Broker

LOOPS = ControlLoopSettings({"hss-link-down": "ControlLoop-HssLink"}, "ControlLoop-Any")
MESSAGES = [message for incident in story() for message in control_loop_messages(incident, LOOPS)]


def test_events_arrive_in_order_under_their_identities(broker: Broker) -> None:
    broker.make("events", 3)
    sender = KafkaSender(KafkaCluster(broker.address), "events", 10.0)
    assert [sender.send(message).outcome for message in MESSAGES] == [DeliveryOutcome.DELIVERED] * len(MESSAGES)
    sender.close()
    found = broker.read("events", 3)
    assert [record.value() for record in found] == [message.body for message in MESSAGES]
    assert [dict(record.headers() or ())["id"].decode() for record in found] == [message.id for message in MESSAGES]
    assert {record.key() for record in found} == {b"pcscf1"}
    statuses = [(json.loads(record.value())["closedLoopEventStatus"]) for record in found]
    assert statuses == ["ONSET", "ABATED", "ONSET", "ABATED"]


def test_a_broker_that_is_away_is_for_later_and_comes_back(broker: Broker) -> None:
    broker.make("later", 1)
    sender = KafkaSender(KafkaCluster(broker.address), "later", 2.5)
    assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.DELIVERED
    broker.stop()
    receipt = sender.send(MESSAGES[1])
    assert receipt.outcome is DeliveryOutcome.LATER and receipt.detail
    broker.start()
    broker.make("later", 1)  # it keeps nothing over a restart
    outcomes = [sender.send(MESSAGES[1]).outcome for _ in range(5)]
    assert outcomes[-1] is DeliveryOutcome.DELIVERED
    sender.close()
    assert {record.value() for record in broker.read("later", 1)} == {MESSAGES[1].body}


def test_what_is_too_large_is_put_aside(broker: Broker) -> None:
    sender = KafkaSender(KafkaCluster(broker.address), "large", 2.0)
    assert sender.send(replace(MESSAGES[0], body=b"x" * 2_000_000)).outcome is DeliveryOutcome.REJECTED
    sender.close()
    sender.close()


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("TOPIC_AUTHORIZATION_FAILED", DeliveryOutcome.REFUSED),
        ("UNKNOWN_TOPIC_OR_PART", DeliveryOutcome.REFUSED),
        ("_AUTHENTICATION", DeliveryOutcome.REFUSED),
        ("MSG_SIZE_TOO_LARGE", DeliveryOutcome.REJECTED),
        ("NOT_ENOUGH_REPLICAS", DeliveryOutcome.LATER),
        ("_ALL_BROKERS_DOWN", DeliveryOutcome.LATER),
    ],
)
def test_an_error_says_whom_it_concerns(name: str, outcome: DeliveryOutcome) -> None:
    assert outcome_of(KafkaError(getattr(KafkaError, name))) is outcome


@pytest.mark.parametrize("bootstrap", ["", "host", "host:0", "host:port", ":9092", "a:1,b", "a:70000"])
def test_an_address_that_is_none_is_refused(bootstrap: str) -> None:
    with pytest.raises(UsageError, match="no HOST:PORT"):
        KafkaCluster(bootstrap)


def test_a_password_does_not_go_in_the_clear(tmp_path: Path) -> None:
    me = Basic("me", "hush")
    with pytest.raises(UsageError, match="in the clear"):
        KafkaCluster("k1:9092,127.0.0.1:9092", basic=me)
    with pytest.raises(UsageError, match="need TLS"):
        KafkaCluster("k1:9092", authorities=tmp_path)
    with pytest.raises(UsageError, match="is not there"):
        KafkaCluster("k1:9092", tls=True, certificate=Certificate(tmp_path / "a.pem", tmp_path / "a.pem"))
    with pytest.raises(UsageError, match="none of PLAIN"):
        KafkaCluster("k1:9092", basic=me, mechanism="GSSAPI", plain_password=True)
    assert "hush" not in repr(KafkaCluster("127.0.0.1:9092", basic=me))
    options = KafkaCluster("k1:9093", tls=True, basic=me, mechanism="PLAIN").options()
    assert (options["security.protocol"], options["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
