"""What passes between an encoder and a sender: a message, and the receipt for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be sent, once.

    id        the same whenever the same change is encoded for the same sink: an outbox's key
    path      below the receiver's address; for a bus: the topic; for a file: empty
    key       the node: what belongs together, and must arrive in order
    """

    id: str
    path: str
    key: str
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class DeliveryOutcome(StrEnum):
    """What became of a message, and so what its outbox does next.

    delivered   the receiver has it: forget it
    later       the receiver is away, busy or broken: try again
    refused     the receiver will not hear us (address, credentials, redirection): keep it, tell a person
    rejected    the receiver will not have this message: put it aside, tell a person
    """

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Receipt:
    """`status`: of HTTP, where there was an answer. `attempts`: how often it was tried. `detail`: one bounded line."""

    outcome: DeliveryOutcome
    attempts: int = 1
    status: int | None = None
    detail: str = ""


class Sender(Protocol):
    """Anything that takes messages away. It never raises for what a receiver does."""

    def send(self, message: Message) -> Receipt:
        """Try, within bounds, to deliver the message."""

    def close(self) -> None:
        """Let go of connections and files."""
