"""What a request is called in the transactions table: its method, split as a P-CSCF's counters split it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.identity import Hasher
from faultprint.probe.message import Message, tag_of
from faultprint.probe.nodes import Watch
from faultprint.probe.peers import Peers
from faultprint.probe.registrations import Registrations
from faultprint.probe.transaction import Side
from faultprint.tables import Direction, Interface, Method

MAX_CALLS: Final = 32_768
_MAX_RECENT: Final = 4096

_PLAIN: Final[Mapping[bytes, str]] = {
    method.value.encode(): method.value
    for method in Method
    if method.value.isupper()
}

_SESSION: Final[Mapping[tuple[Direction, Interface], Method]] = {
    (Direction.IN, Interface.GM): Method.INVITE_ORIGINATING,
    (Direction.OUT, Interface.MW): Method.INVITE_ORIGINATING,
    (Direction.IN, Interface.MW): Method.INVITE_TERMINATING,
    (Direction.OUT, Interface.GM): Method.INVITE_TERMINATING,
    (Direction.IN, Interface.UNKNOWN): Method.INVITE_ORIGINATING,
}
"""Seen from a P-CSCF. Out towards a peer that is not known, an INVITE is what its copy that came in was, and
terminating if none came in."""


class Naming:
    """Names the sides of a new transaction; remembers bindings and calls for that."""

    def __init__(self, hasher: Hasher, peers: Peers) -> None:
        self._hasher = hasher
        self._peers = peers
        self.registrations = Registrations()
        self._came_in: BoundedTable[int, Method] = BoundedTable(_MAX_RECENT)
        self._answered: BoundedTable[int, int] = BoundedTable(MAX_CALLS)

    def sides(
        self, timestamp: int, message: Message, watches: tuple[Watch, ...], dialog: int
    ) -> tuple[int | None, tuple[Side, ...]]:
        """The subscriber's hash (REGISTER: whom it is for; else who sends), and one side for each watch."""
        in_dialog = tag_of(message.receiver) is not None
        user = self._hasher.user(message.receiver if message.method == b"REGISTER" else message.sender)
        sides = []
        for watch in watches:
            interface = self._peers.interface(watch, message, in_dialog, user)
            method = self._method(timestamp, message, watch, interface, in_dialog, user, dialog)
            session = self._session(timestamp, message, watch, dialog)
            sides.append(Side(watch.node, interface.value, watch.direction.value, method, session))
        return user, tuple(sides)

    def _method(
        self,
        timestamp: int,
        message: Message,
        watch: Watch,
        interface: Interface,
        in_dialog: bool,
        user: int | None,
        dialog: int,
    ) -> str:
        if message.method == b"REGISTER":
            return self.registrations.method((user or 0) ^ watch.node.mark, timestamp, message).value
        if message.method == b"INVITE":
            return Method.INVITE_IN_DIALOG.value if in_dialog else self._invite(watch, interface, dialog).value
        return _PLAIN.get(message.cseq_method, Method.OTHER.value)

    def _invite(self, watch: Watch, interface: Interface, dialog: int) -> Method:
        call = dialog ^ watch.node.mark
        method = _SESSION.get((watch.direction, interface))
        if method is None:
            method = self._came_in.get(call, Method.INVITE_TERMINATING)
        if watch.direction is Direction.IN:
            self._came_in.put(call, method)
        return method

    def _session(self, timestamp: int, message: Message, watch: Watch, dialog: int) -> int | None:
        if message.method != b"BYE":
            return None
        answered = self._answered.get(dialog ^ watch.node.mark)
        return None if answered is None or answered > timestamp else timestamp - answered

    def answered(self, timestamp: int, sides: tuple[Side, ...], dialog: int) -> None:
        """An INVITE outside a dialog drew its 2xx; the first one of a call on any leg of a node counts."""
        for side in sides:
            if side.method != Method.INVITE_IN_DIALOG.value and dialog ^ side.node.mark not in self._answered:
                self._answered.put(dialog ^ side.node.mark, timestamp)

    def registered(self, timestamp: int, sides: tuple[Side, ...], user: int | None, response: Message) -> None:
        """A REGISTER drew its 2xx."""
        if user is not None:
            for side in sides:
                self.registrations.succeeded(user ^ side.node.mark, timestamp, Method(side.method), response)
