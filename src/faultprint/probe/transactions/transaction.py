"""One transaction on one leg, and what each watched node at its ends calls it."""

from __future__ import annotations

from typing import Final

from faultprint.probe.transactions.nodes import WatchedNode
from faultprint.probe.transactions.states import DURATIONS, Dense, Queue, TransactionState

_MAX_UINT32: Final = 2**32 - 1

_CALLING: Final = int(TransactionState.CALLING)
_WAITING: Final = int(Queue.WAITING)
_FIRST_US: Final = DURATIONS[_WAITING]

Row = tuple[str | int | None, ...]
"""Values in the order of the columns of `faultprint.tables.TRANSACTIONS`."""


NodeView = tuple[WatchedNode, str, str, str, int | None]
"""The transaction as one watched node sees it: node, interface, direction, method (the table's words), session in µs."""


class Transaction:
    """A transaction under way. Times are µs; see `faultprint.tables.TRANSACTIONS` for the meanings."""

    __slots__ = (
        "alias",
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
        self,
        start: int,
        table: Dense,
        user: int | None,
        dialog: int | None,
        sides: tuple[NodeView, ...],
        size: int,
        patience: int = _FIRST_US,
    ) -> None:
        """`patience`: how long it waits for its first answer, µs."""
        self.start = start
        self.table = table
        self.state = _CALLING
        self.queue = _WAITING
        self.deadline = start + patience
        self.user = user
        self.dialog = dialog
        self.sides = sides
        self.provisional: int | None = None
        self.ringing: int | None = None
        self.completion: int | None = None
        self.status: int | None = None
        self.alias: int | None = None
        """Where else it is looked for: an INVITE by a 2xx's ACK, a Diameter request by what another connection carries."""
        self.responses: tuple[int, ...] = ()
        """Hashes of the responses seen."""
        self.retransmissions = 0
        self.response_retransmissions = 0
        self.messages = 1
        self.bytes = size

    def row(self, side: NodeView, network: str, protocol: str) -> Row:
        """The row that `side`'s node gets."""
        node, interface, direction, method, session_us = side
        return (
            node.name,
            network,
            interface,
            direction,
            protocol,
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
