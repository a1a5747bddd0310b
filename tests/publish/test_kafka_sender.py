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
from faultprint.publish.senders.endpoint import BasicAuth, ClientCertificate
from faultprint.publish.senders.kafka import KafkaSender, outcome_of
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint_lab.pages.publish import story

from ..broker import Broker

LOOPS = ControlLoopSettings({"hss-link-down": "ControlLoop-HssLink"}, "ControlLoop-Any")
MESSAGES = [message for incident in story() for message in control_loop_messages(incident, LOOPS)]


def test_events_arrive_in_order_with_their_ids(broker: Broker) -> None:
    broker.create_topic("events", 3)
    sender = KafkaSender(KafkaCluster(broker.address), "events", 10.0)
    assert [sender.send(message).outcome for message in MESSAGES] == [DeliveryOutcome.DELIVERED] * len(MESSAGES)
    sender.close()
    records = broker.read_all("events", 3)
    assert [record.value() for record in records] == [message.body for message in MESSAGES]
    assert [dict(record.headers() or ())["id"].decode() for record in records] == [message.id for message in MESSAGES]
    assert {record.key() for record in records} == {b"pcscf1"}
    statuses = [(json.loads(record.value())["closedLoopEventStatus"]) for record in records]
    assert statuses == ["ONSET", "ABATED", "ONSET", "ABATED"]


def test_an_unreachable_broker_is_retried_until_it_returns(broker: Broker) -> None:
    broker.create_topic("unreachable", 1)
    sender = KafkaSender(KafkaCluster(broker.address), "unreachable", 2.5)
    assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.DELIVERED
    broker.stop()
    receipt = sender.send(MESSAGES[1])
    assert receipt.outcome is DeliveryOutcome.RETRY and receipt.detail
    broker.start()
    broker.create_topic("unreachable", 1)  # the broker is empty after a restart
    outcomes = [sender.send(MESSAGES[1]).outcome for _ in range(5)]
    assert outcomes[-1] is DeliveryOutcome.DELIVERED
    sender.close()
    assert {record.value() for record in broker.read_all("unreachable", 1)} == {MESSAGES[1].body}


def test_a_message_that_is_too_large_is_rejected(broker: Broker) -> None:
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
        ("NOT_ENOUGH_REPLICAS", DeliveryOutcome.RETRY),
        ("_ALL_BROKERS_DOWN", DeliveryOutcome.RETRY),
    ],
)
def test_the_outcome_of_errors(name: str, outcome: DeliveryOutcome) -> None:
    assert outcome_of(KafkaError(getattr(KafkaError, name))) is outcome


@pytest.mark.parametrize("bootstrap", ["", "host", "host:0", "host:port", ":9092", "a:1,b", "a:70000"])
def test_an_invalid_address_is_refused(bootstrap: str) -> None:
    with pytest.raises(UsageError, match="not HOST:PORT"):
        KafkaCluster(bootstrap)


def test_a_password_is_not_sent_unencrypted(tmp_path: Path) -> None:
    basic = BasicAuth("me", "hush")
    with pytest.raises(UsageError, match="unencrypted"):
        KafkaCluster("k1:9092,127.0.0.1:9092", basic=basic)
    with pytest.raises(UsageError, match="need TLS"):
        KafkaCluster("k1:9092", ca_file=tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        KafkaCluster("k1:9092", tls=True, certificate=ClientCertificate(tmp_path / "a.pem", tmp_path / "a.pem"))
    with pytest.raises(UsageError, match="not one of PLAIN"):
        KafkaCluster("k1:9092", basic=basic, mechanism="GSSAPI", allow_plaintext_password=True)
    assert "hush" not in repr(KafkaCluster("127.0.0.1:9092", basic=basic))
    options = KafkaCluster("k1:9093", tls=True, basic=basic, mechanism="PLAIN").options()
    assert (options["security.protocol"], options["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
