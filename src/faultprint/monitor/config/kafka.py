"""[kafka]: the topics of monitors that share their nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from faultprint.errors import UsageError
from faultprint.monitor.base.setting_doc import SettingDoc

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


class Payload(StrEnum):
    """What the records of the input topic hold."""

    MINUTES = "minutes"
    TRANSACTIONS = "transactions"


def check_topic(name: str, where: str) -> None:
    """Raise UsageError if `name` is not a topic name. It also becomes part of a file name."""
    if not _TOPIC.fullmatch(name) or not name.strip("."):
        raise UsageError(
            f"{where} is {name!r}, but a topic name has 1 to 200 letters, digits, '.', '_' and '-'; correct it."
        )


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """[kafka]: read nodes from a topic and share its partitions with the other monitors of the group."""

    bootstrap: Annotated[str, SettingDoc("brokers, as HOST:PORT[,HOST:PORT]")]
    group: Annotated[str, SettingDoc("consumer group; its monitors share the partitions")] = "faultprint"
    topic: Annotated[str, SettingDoc("input topic, with the node as key")] = "faultprint.minutes"
    payload: Annotated[
        Payload, SettingDoc("payload of the topic; from transactions the monitor builds the minutes")
    ] = Payload.MINUTES
    state: Annotated[str, SettingDoc("compacted topic for the states of partitions; created if absent")] = (
        "faultprint.state"
    )
    checkpoint_minutes: Annotated[int, SettingDoc("minutes between two uploads of a partition's state", minimum=1)] = 10
    session_seconds: Annotated[
        float, SettingDoc("time without contact after which a monitor loses its partitions", minimum=1)
    ] = 30.0
    tls: Annotated[bool, SettingDoc("use TLS")] = False
    ca_file: Annotated[
        Path | None, SettingDoc("certificate authorities of the brokers (PEM file); default: those of the system")
    ] = None
    certificate: Annotated[Path | None, SettingDoc("client certificate chain (PEM file)")] = None
    certificate_key: Annotated[Path | None, SettingDoc("key of the client certificate (PEM file)")] = None
    user: Annotated[str, SettingDoc("user name for SASL")] = ""
    password_file: Annotated[Path | None, SettingDoc("file whose first line is the password")] = None
    mechanism: Annotated[str, SettingDoc("SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = "SCRAM-SHA-512"
    allow_plaintext_password: Annotated[bool, SettingDoc("send the password without TLS to another machine")] = False

    def __post_init__(self) -> None:
        check_topic(self.topic, "kafka.topic")
        check_topic(self.state, "kafka.state")
        if self.topic == self.state:
            raise UsageError(f"kafka.topic and kafka.state are both {self.state!r}, but they must be different topics.")
        if not self.group:
            raise UsageError("kafka.group is empty, but the monitors of a group need a common name; set it.")
