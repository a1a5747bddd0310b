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
from faultprint.publish.message import Outcome
from faultprint.publish.routes import control_loop_messages
from faultprint.publish.senders.endpoint import Basic, Certificate
from faultprint.publish.senders.kafka import KafkaSender, outcome_of
from faultprint.publish.senders.kafka_client import Cluster
from faultprint_lab.pages.publish import story

from ..broker import Broker

LOOPS = ControlLoopSettings({"hss-link-down": "ControlLoop-HssLink"}, "ControlLoop-Any")
MESSAGES = [message for incident in story() for message in control_loop_messages(incident, LOOPS)]


def test_events_arrive_in_order_under_their_identities(broker: Broker) -> None:
    broker.make("events", 3)
    sender = KafkaSender(Cluster(broker.address), "events", 10.0)
    assert [sender.send(message).outcome for message in MESSAGES] == [Outcome.DELIVERED] * len(MESSAGES)
    sender.close()
    found = broker.read("events", 3)
    assert [record.value() for record in found] == [message.body for message in MESSAGES]
    assert [dict(record.headers() or ())["id"].decode() for record in found] == [message.id for message in MESSAGES]
    assert {record.key() for record in found} == {b"pcscf1"}
    statuses = [(json.loads(record.value())["closedLoopEventStatus"]) for record in found]
    assert statuses == ["ONSET", "ABATED", "ONSET", "ABATED"]


def test_a_broker_that_is_away_is_for_later_and_comes_back(broker: Broker) -> None:
    broker.make("later", 1)
    sender = KafkaSender(Cluster(broker.address), "later", 2.5)
    assert sender.send(MESSAGES[0]).outcome is Outcome.DELIVERED
    broker.stop()
    receipt = sender.send(MESSAGES[1])
    assert receipt.outcome is Outcome.LATER and receipt.detail
    broker.start()
    broker.make("later", 1)  # it keeps nothing over a restart
    outcomes = [sender.send(MESSAGES[1]).outcome for _ in range(5)]
    assert outcomes[-1] is Outcome.DELIVERED
    sender.close()
    assert {record.value() for record in broker.read("later", 1)} == {MESSAGES[1].body}


def test_what_is_too_large_is_put_aside(broker: Broker) -> None:
    sender = KafkaSender(Cluster(broker.address), "large", 2.0)
    assert sender.send(replace(MESSAGES[0], body=b"x" * 2_000_000)).outcome is Outcome.REJECTED
    sender.close()
    sender.close()


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("TOPIC_AUTHORIZATION_FAILED", Outcome.REFUSED),
        ("UNKNOWN_TOPIC_OR_PART", Outcome.REFUSED),
        ("_AUTHENTICATION", Outcome.REFUSED),
        ("MSG_SIZE_TOO_LARGE", Outcome.REJECTED),
        ("NOT_ENOUGH_REPLICAS", Outcome.LATER),
        ("_ALL_BROKERS_DOWN", Outcome.LATER),
    ],
)
def test_an_error_says_whom_it_concerns(name: str, outcome: Outcome) -> None:
    assert outcome_of(KafkaError(getattr(KafkaError, name))) is outcome


@pytest.mark.parametrize("bootstrap", ["", "host", "host:0", "host:port", ":9092", "a:1,b", "a:70000"])
def test_an_address_that_is_none_is_refused(bootstrap: str) -> None:
    with pytest.raises(UsageError, match="no HOST:PORT"):
        Cluster(bootstrap)


def test_a_password_does_not_go_in_the_clear(tmp_path: Path) -> None:
    me = Basic("me", "hush")
    with pytest.raises(UsageError, match="in the clear"):
        Cluster("k1:9092,127.0.0.1:9092", basic=me)
    with pytest.raises(UsageError, match="need TLS"):
        Cluster("k1:9092", authorities=tmp_path)
    with pytest.raises(UsageError, match="is not there"):
        Cluster("k1:9092", tls=True, certificate=Certificate(tmp_path / "a.pem", tmp_path / "a.pem"))
    with pytest.raises(UsageError, match="none of PLAIN"):
        Cluster("k1:9092", basic=me, mechanism="GSSAPI", plain_password=True)
    assert "hush" not in repr(Cluster("127.0.0.1:9092", basic=me))
    options = Cluster("k1:9093", tls=True, basic=me, mechanism="PLAIN").options()
    assert (options["security.protocol"], options["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
