"""[kafka]: where minutes come from when monitors share them out among themselves."""

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
    """What lies on a topic."""

    MINUTES = "minutes"
    TRANSACTIONS = "transactions"


def check_topic(name: str, where: str) -> None:
    """Raise UsageError for what is no name of a topic; it becomes part of a file's name, too."""
    if not _TOPIC.fullmatch(name) or not name.strip("."):
        raise UsageError(
            f"{where} is {name!r}, but a topic's name holds letters, digits, '.', '_' and '-' only; correct it."
        )


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """[kafka]: topics to hear nodes from, shared out among the monitors of a group."""

    bootstrap: Annotated[str, SettingDoc("brokers, as HOST:PORT[,HOST:PORT]")]
    group: Annotated[str, SettingDoc("consumer group; its monitors share the partitions out among themselves")] = (
        "faultprint"
    )
    topic: Annotated[str, SettingDoc("the topic that nodes are heard by, keyed by node")] = "faultprint.minutes"
    holds: Annotated[Payload, SettingDoc("what it holds; minutes are made of transactions by the monitor")] = (
        Payload.MINUTES
    )
    state: Annotated[str, SettingDoc("compacted topic in which a partition's state is handed on, made if absent")] = (
        "faultprint.state"
    )
    checkpoint_minutes: Annotated[
        int, SettingDoc("minutes after which a partition's state is put there anew", least=1)
    ] = 10
    session_seconds: Annotated[
        float, SettingDoc("silence after which a monitor's partitions are given to others", least=1)
    ] = 30.0
    tls: Annotated[bool, SettingDoc("speak TLS")] = False
    authorities: Annotated[
        Path | None, SettingDoc("authorities that the brokers' certificates must come from (PEM)")
    ] = None
    certificate: Annotated[Path | None, SettingDoc("our certificate chain (PEM)")] = None
    certificate_key: Annotated[Path | None, SettingDoc("its key (PEM)")] = None
    user: Annotated[str, SettingDoc("for SASL")] = ""
    password_file: Annotated[Path | None, SettingDoc("file whose first line is the password")] = None
    mechanism: Annotated[str, SettingDoc("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = "SCRAM-SHA-512"
    plain_password: Annotated[bool, SettingDoc("let a password pass without TLS to another machine")] = False

    def __post_init__(self) -> None:
        check_topic(self.topic, "kafka.topic")
        check_topic(self.state, "kafka.state")
        if self.topic == self.state:
            raise UsageError(f"kafka.topic and kafka.state are both {self.state!r}, but need topics of their own.")
        if not self.group:
            raise UsageError("kafka.group is empty, but monitors find one another by it; give a name.")
