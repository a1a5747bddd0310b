"""One transaction on one leg, and how each watched node at the ends of the leg sees it."""

from __future__ import annotations

from typing import Final

from faultprint.probe.transactions.nodes import WatchedEnd, WatchedNode
from faultprint.probe.transactions.states import SIP_DURATIONS_US, Queue, StateTable, TransactionState

_MAX_UINT32: Final = 2**32 - 1
_CALLING: Final = int(TransactionState.CALLING)
_WAITING: Final = int(Queue.WAITING)

Row = tuple[str | int | None, ...]
"""Values in the order of the columns of `faultprint.tables.TRANSACTIONS`."""

NodeView = tuple[WatchedNode, str, str, str, int | None]
"""A transaction as one watched node sees it: node, interface, direction, method (values of the table), session in µs."""


class Transaction:
    """A transaction that is not finished yet. Times are µs; `faultprint.tables.TRANSACTIONS` explains the fields."""

    __slots__ = (
        "alias",
        "bindings",
        "branch",
        "bytes",
        "completion",
        "deadline",
        "dialog",
        "ends",
        "messages",
        "pair",
        "provisional",
        "queue",
        "response_retransmissions",
        "responses",
        "retransmissions",
        "ringing",
        "start",
        "state",
        "status",
        "table",
        "user",
        "views",
    )

    def __init__(
        self,
        start: int,
        table: StateTable,
        user: int | None,
        dialog: int | None,
        views: tuple[NodeView, ...],
        size: int,
        timeout_us: int = SIP_DURATIONS_US[_WAITING],
    ) -> None:
        """`size`: bytes of the request. `timeout_us`: how long it waits for its first response."""
        self.start = start
        self.table = table
        self.state = _CALLING
        self.queue = _WAITING
        self.deadline = start + timeout_us
        self.user = user
        self.dialog = dialog
        self.views = views
        self.provisional: int | None = None
        self.ringing: int | None = None
        self.completion: int | None = None
        self.status: int | None = None
        self.alias: int | None = None
        """A second key: of an INVITE for the ACK of a 2xx, of a Diameter request for answers on another connection."""
        self.branch = 0
        """The key without addresses."""
        self.pair = b""
        """The addresses at the ends of its leg (`Leg.pair`)."""
        self.ends: tuple[WatchedEnd, ...] = ()
        """The ends of its leg, one for each view, while the interface of one is not known."""
        self.bindings: tuple[int, ...] = ()
        """The contacts that a REGISTER binds (see `registrations`)."""
        self.responses: tuple[int, ...] = ()
        """Hashes of the responses so far."""
        self.retransmissions = 0
        self.response_retransmissions = 0
        self.messages = 1
        self.bytes = size

    def row(self, view: NodeView, network: str, protocol: str) -> Row:
        """The table row for the node of `view`."""
        node, interface, direction, method, session_us = view
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
