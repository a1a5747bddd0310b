"""What encoders and senders share: a message, and the receipt for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one receiver.

    id        the same each time that the same change is encoded for the same sink; the key of the outbox
    path      path below the receiver's address; for a bus, the topic; for a file, empty
    key       the node: messages with the same key must arrive in order
    """

    id: str
    path: str
    key: str
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class DeliveryOutcome(StrEnum):
    """The result of a delivery, which decides what the outbox does next.

    delivered   the receiver has the message: delete it
    retry       the receiver is unreachable, busy or broken: try again
    refused     the receiver refuses us (address, credentials, redirection): keep the message, alert an operator
    rejected    the receiver refuses this message: move it to the dead letters, alert an operator
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of `Sender.send`.

    `status`: HTTP status, if there was a response. `attempts`: number of attempts. `detail`: one bounded line.
    """

    outcome: DeliveryOutcome
    attempts: int = 1
    status: int | None = None
    detail: str = ""


class Sender(Protocol):
    """Delivers messages. It never raises an exception because of what a receiver does."""

    def send(self, message: Message) -> Receipt:
        """Try to deliver the message, within a bounded time."""

    def close(self) -> None:
        """Close connections and files."""
