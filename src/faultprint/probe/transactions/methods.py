"""What a request is called in the transactions table: its method, split as a P-CSCF's counters split it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage, tag_of
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.interfaces import Peers
from faultprint.probe.transactions.nodes import IN, WatchedEnd
from faultprint.probe.transactions.registrations import Registrations
from faultprint.probe.transactions.transaction import NodeView
from faultprint.tables import Direction, Interface, Method

MAX_CALLS: Final = 20_480
_MAX_RECENT: Final = 4096

_REGISTER: Final = b"REGISTER"
_INVITE: Final = b"INVITE"
_IN_DIALOG: Final = Method.INVITE_IN_DIALOG.value
_TERMINATING: Final = Method.INVITE_TERMINATING.value
_OTHER: Final = Method.OTHER.value
_PLAIN: Final[Mapping[bytes, str]] = {
    method.value.encode(): method.value
    for method in (
        Method.BYE,
        Method.CANCEL,
        Method.PRACK,
        Method.UPDATE,
        Method.INFO,
        Method.REFER,
        Method.SUBSCRIBE,
        Method.NOTIFY,
        Method.PUBLISH,
        Method.MESSAGE,
        Method.OPTIONS,
    )
}

_SESSION: Final[Mapping[tuple[str, str], str]] = {
    (Direction.IN.value, Interface.GM.value): Method.INVITE_ORIGINATING.value,
    (Direction.OUT.value, Interface.MW.value): Method.INVITE_ORIGINATING.value,
    (Direction.IN.value, Interface.MW.value): Method.INVITE_TERMINATING.value,
    (Direction.OUT.value, Interface.GM.value): Method.INVITE_TERMINATING.value,
    (Direction.IN.value, Interface.UNKNOWN.value): Method.INVITE_ORIGINATING.value,
}
"""Seen from a P-CSCF. Out towards a peer that is not known, an INVITE is what its copy that came in was, and
terminating if none came in."""


class MethodClassifier:
    """Names the sides of a new transaction; remembers bindings and calls for that."""

    def __init__(self, hasher: Hasher, peers: Peers) -> None:
        self._hasher = hasher
        self._peers = peers
        self._registrations = Registrations()
        self._sides: dict[NodeView, tuple[NodeView, ...]] = {}
        self._came_in: BoundedTable[int, str] = BoundedTable(_MAX_RECENT)
        self._answered: BoundedTable[int, int] = BoundedTable(MAX_CALLS)

    def sides(
        self, timestamp: int, message: SipMessage, watches: tuple[WatchedEnd, ...], dialog: int
    ) -> tuple[int | None, tuple[NodeView, ...]]:
        """The subscriber's hash (REGISTER: whom it is for; else who sends), and one side for each watch."""
        in_dialog = tag_of(message.receiver) is not None
        user = self._hasher.user(message.receiver if message.method == _REGISTER else message.sender)
        if len(watches) == 1:
            side = self._side(timestamp, message, watches[0], dialog, in_dialog, user)
            if side[-1] is not None:
                return user, (side,)
            # There are few kinds: the transactions share them.
            return user, self._sides.get(side) or self._sides.setdefault(side, (side,))
        return user, tuple([self._side(timestamp, message, watch, dialog, in_dialog, user) for watch in watches])

    def _side(
        self, timestamp: int, message: SipMessage, watch: WatchedEnd, dialog: int, in_dialog: bool, user: int | None
    ) -> NodeView:
        interface = watch.interface or self._peers.interface(watch, message, in_dialog, user)
        if message.method == _REGISTER:
            method = self._registrations.method((user or 0) ^ watch.node.mark, timestamp, message)
        elif message.method == _INVITE:
            method = _IN_DIALOG if in_dialog else self._invite(watch, interface, dialog)
        else:
            method = _PLAIN.get(message.cseq_method, _OTHER)
            if method == "BYE":
                session = self._session(timestamp, dialog ^ watch.node.mark)
                return watch.node, interface, watch.direction, method, session
        return watch.node, interface, watch.direction, method, None

    def _invite(self, watch: WatchedEnd, interface: str, dialog: int) -> str:
        call = dialog ^ watch.node.mark
        method = _SESSION.get((watch.direction, interface))
        if method is None:
            method = self._came_in.get(call, _TERMINATING)
        if watch.direction == IN:
            self._came_in.put(call, method)
        return method

    def _session(self, timestamp: int, call: int) -> int | None:
        answered = self._answered.get(call)
        return None if answered is None or answered > timestamp else timestamp - answered

    def answered(self, timestamp: int, sides: tuple[NodeView, ...], dialog: int) -> None:
        """An INVITE outside a dialog drew its 2xx; the first one of a call on any leg of a node counts."""
        for node, _, _, method, _ in sides:
            call = dialog ^ node.mark
            if method != _IN_DIALOG and call not in self._answered:
                self._answered.put(call, timestamp)

    def registered(self, timestamp: int, sides: tuple[NodeView, ...], user: int | None, response: SipMessage) -> None:
        """A REGISTER drew its 2xx."""
        if user is not None:
            for node, _, _, method, _ in sides:
                self._registrations.succeeded(user ^ node.mark, timestamp, method, response)
