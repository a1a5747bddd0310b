"""The method of a request in the transactions table: its SIP method, divided as the counters of a P-CSCF divide it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage, tag_of
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.interfaces import PeerInterfaces
from faultprint.probe.transactions.nodes import IN, OUT, WatchedEnd
from faultprint.probe.transactions.registrations import Registrations, bindings_of
from faultprint.probe.transactions.transaction import NodeView, Transaction
from faultprint.tables import Direction, Interface, Method

MAX_CALLS: Final = 20_480
_MAX_INCOMING_CALLS: Final = 4096

_GM: Final = Interface.GM.value
_REGISTER: Final = b"REGISTER"
_INVITE: Final = b"INVITE"
_IN_DIALOG: Final = Method.INVITE_IN_DIALOG.value
_TERMINATING: Final = Method.INVITE_TERMINATING.value
_BYE: Final = Method.BYE.value
_OTHER: Final = Method.OTHER.value
_UNDIVIDED: Final[Mapping[bytes, str]] = {
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
_INVITE_METHODS: Final[Mapping[tuple[str, str], str]] = {
    (Direction.IN.value, Interface.GM.value): Method.INVITE_ORIGINATING.value,
    (Direction.OUT.value, Interface.MW.value): Method.INVITE_ORIGINATING.value,
    (Direction.IN.value, Interface.MW.value): Method.INVITE_TERMINATING.value,
    (Direction.OUT.value, Interface.GM.value): Method.INVITE_TERMINATING.value,
    (Direction.IN.value, Interface.UNKNOWN.value): Method.INVITE_ORIGINATING.value,
}
"""Direction and interface at a P-CSCF → method of an INVITE outside a dialog.

An INVITE that goes out to a peer that is not certainly of the core has the method of its copy that came in. If none came
in and the peer is unknown, it is terminating.
"""


class MethodClassifier:
    """Classifies each new transaction for the watched nodes. It remembers bindings and calls for that."""

    def __init__(self, hasher: Hasher, peers: PeerInterfaces) -> None:
        self._hasher = hasher
        self._peers = peers
        self._registrations = Registrations()
        self._shared_views: dict[NodeView, tuple[NodeView, ...]] = {}
        self._incoming_methods: BoundedTable[int, str] = BoundedTable(_MAX_INCOMING_CALLS)
        self._answer_times: BoundedTable[int, int] = BoundedTable(MAX_CALLS)

    def classify(
        self, timestamp: int, message: SipMessage, watched_ends: tuple[WatchedEnd, ...], dialog: int
    ) -> tuple[int | None, tuple[NodeView, ...], tuple[int, ...]]:
        """The hash of the subscriber, one view for each watched end, and the bindings that a REGISTER asks for.

        The subscriber is the To of a REGISTER (a third party may register it), else the From.
        """
        in_dialog = tag_of(message.receiver) is not None
        if message.method == _REGISTER:
            user, bindings = self._hasher.user(message.receiver), bindings_of(message)
        else:
            user, bindings = self._hasher.user(message.sender), ()
        if len(watched_ends) == 1:
            view = self._view(timestamp, message, watched_ends[0], dialog, in_dialog, user, bindings)
            if view[-1] is not None:
                return user, (view,), bindings
            # There are few different views, so transactions share them.
            return user, self._shared_views.get(view) or self._shared_views.setdefault(view, (view,)), bindings
        views = [self._view(timestamp, message, end, dialog, in_dialog, user, bindings) for end in watched_ends]
        return user, tuple(views), bindings

    def _view(
        self,
        timestamp: int,
        message: SipMessage,
        end: WatchedEnd,
        dialog: int,
        in_dialog: bool,
        user: int | None,
        bindings: tuple[int, ...],
    ) -> NodeView:
        interface = end.interface or self._peers.interface(end, message, in_dialog, user)
        if message.method == _REGISTER:
            method = self._registrations.method((user or 0) ^ end.node.salt, timestamp, bindings)
        elif message.method == _INVITE:
            method = _IN_DIALOG if in_dialog else self._invite(end, interface, dialog)
        else:
            method = _UNDIVIDED.get(message.cseq_method, _OTHER)
            if method == _BYE:
                session_us = self._session_us(timestamp, dialog ^ end.node.salt)
                return end.node, interface, end.direction, method, session_us
        return end.node, interface, end.direction, method, None

    def named(self, transaction: Transaction) -> tuple[NodeView, ...]:
        """The views of a transaction with `ends`, whose interfaces later evidence may have shown."""
        return tuple(
            [
                (node, self._peers.known(end), direction, method, session_us)
                for end, (node, _, direction, method, session_us) in zip(
                    transaction.ends, transaction.views, strict=True
                )
            ]
        )

    def _invite(self, end: WatchedEnd, interface: str, dialog: int) -> str:
        call = dialog ^ end.node.salt
        method = _INVITE_METHODS.get((end.direction, interface), _TERMINATING)
        if end.direction == OUT and end.interface is None and interface != _GM:
            method = self._incoming_methods.get(call, method)
        if end.direction == IN:
            self._incoming_methods.put(call, method)
        return method

    def _session_us(self, timestamp: int, call: int) -> int | None:
        answered = self._answer_times.get(call)
        return None if answered is None or answered > timestamp else timestamp - answered

    def on_answered(self, timestamp: int, views: tuple[NodeView, ...], dialog: int) -> None:
        """Record the 2xx response to an INVITE outside a dialog. The first one of a call on any leg of a node counts."""
        for node, _, _, method, _ in views:
            call = dialog ^ node.salt
            if method != _IN_DIALOG and call not in self._answer_times:
                self._answer_times.put(call, timestamp)

    def on_registered(self, timestamp: int, transaction: Transaction, response: SipMessage) -> None:
        """Record the 2xx response to a REGISTER."""
        if transaction.user is not None:
            for node, *_ in transaction.views:
                self._registrations.on_success(transaction.user ^ node.salt, timestamp, transaction.bindings, response)
