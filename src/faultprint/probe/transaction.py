"""One transaction on one leg, and what each watched node at its ends calls it."""

from __future__ import annotations

from typing import Final

from faultprint.probe.nodes import Node
from faultprint.probe.states import DURATIONS, Dense, Queue, State
from faultprint.tables import Protocol

_MAX_UINT32: Final = 2**32 - 1
_SIP: Final = Protocol.SIP.value

_CALLING: Final = int(State.CALLING)
_WAITING: Final = int(Queue.WAITING)
_FIRST_US: Final = DURATIONS[_WAITING]

Row = tuple[str | int | None, ...]
"""Values in the order of the columns of `faultprint.tables.TRANSACTIONS`."""


Side = tuple[Node, str, str, str, int | None]
"""The transaction as one watched node sees it: node, interface, direction, method (the table's words), session in µs."""


class Transaction:
    """A transaction under way. Times are µs; see `faultprint.tables.TRANSACTIONS` for the meanings."""

    __slots__ = (
        "ack_key",
        "bytes",
        "completion",
        "deadline",
        "dialog",
        "messages",
        "provisional",
        "queue",
        "response_retransmissions",
        "responses",
        "retransmissions",
        "ringing",
        "sides",
        "start",
        "state",
        "status",
        "table",
        "user",
    )

    def __init__(
        self, start: int, table: Dense, user: int | None, dialog: int, sides: tuple[Side, ...], size: int
    ) -> None:
        self.start = start
        self.table = table
        self.state = _CALLING
        self.queue = _WAITING
        self.deadline = start + _FIRST_US
        self.user = user
        self.dialog = dialog
        self.sides = sides
        self.provisional: int | None = None
        self.ringing: int | None = None
        self.completion: int | None = None
        self.status: int | None = None
        self.ack_key: int | None = None
        """Where a 2xx's ACK looks for this INVITE."""
        self.responses: tuple[int, ...] = ()
        """Hashes of the responses seen."""
        self.retransmissions = 0
        self.response_retransmissions = 0
        self.messages = 1
        self.bytes = size

    def row(self, side: Side, network: str) -> Row:
        """The row that `side`'s node gets."""
        node, interface, direction, method, session_us = side
        return (
            node.name,
            network,
            interface,
            direction,
            _SIP,
            method,
            self.start,
            self.user,
            self.dialog,
            session_us,
            self.provisional,
            self.ringing,
            self.completion,
            self.status,
            self.retransmissions,
            self.response_retransmissions,
            self.messages,
            self.bytes if self.bytes <= _MAX_UINT32 else _MAX_UINT32,
        )
