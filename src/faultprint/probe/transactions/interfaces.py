"""The reference point of a leg (TS 23.002): Gm towards user equipment, Mw towards another CSCF.

Addresses alone do not show it. The probe uses the evidence of the traffic, strongest first:

  given       the user named the interface of the peer
  node        the peer is itself a watched node: Mw
  core        it sent a request with two or more Via values, or was sent a REGISTER: Mw
  equipment   it sent a REGISTER, or opened a dialog, as the first hop: Gm
  many users  it opened dialogs as the first hop, without a REGISTER, for more than MANY_USERS subscribers: Mw

A peer without evidence is `unknown`. Evidence counts from the message that brings it. What a REGISTER or a second Via
has shown never changes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.nodes import OUT, WatchedEnd, WatchedNodes
from faultprint.tables import Interface

_GM: Final = Interface.GM.value
_MW: Final = Interface.MW.value
_UNKNOWN: Final = Interface.UNKNOWN.value
_NO_EVIDENCE: Final = (_UNKNOWN, False)
_SHARED: Final = {pair: pair for interface in (_GM, _MW, _UNKNOWN) for pair in ((interface, False), (interface, True))}
"""One object for each pair, however many peers have it: this saves memory."""
MANY_USERS: Final = 8
_MAX_PEERS: Final = 16_384
_MAX_COUNTED_PEERS: Final = 1024
_OPENING_METHODS: Final = frozenset({b"INVITE", b"SUBSCRIBE", b"MESSAGE", b"PUBLISH"})
"""Requests that user equipment starts with. The core also sends NOTIFY and OPTIONS as the first hop."""


class PeerInterfaces:
    """The interface of each peer, learned from every request that starts a transaction."""

    def __init__(self, nodes: WatchedNodes, given: Mapping[bytes, Interface] | None = None) -> None:
        self._nodes = nodes
        self._given = {peer: interface.value for peer, interface in (given or {}).items()}
        self._known: BoundedTable[bytes, tuple[str, bool]] = BoundedTable(_MAX_PEERS)
        """Peer → interface, and whether it is certain."""
        self._users: BoundedTable[bytes, set[int]] = BoundedTable(_MAX_COUNTED_PEERS)

    def interface(self, end: WatchedEnd, message: SipMessage, in_dialog: bool, user: int | None) -> str:
        """The interface of a request's leg, as `end` sees it. A certain interface is kept in `end`."""
        peer = end.peer
        certain = self._given.get(peer) or self._given.get(peer[:-2])
        if certain is None:
            known, is_certain = self._known.get(peer, _NO_EVIDENCE)
            if not is_certain:
                known, is_certain = self._learn(end, message, in_dialog, user) or (known, is_certain)
                self._known.put(peer, _SHARED[known, is_certain])
            if not is_certain:
                return known
            certain = known
        end.interface = certain
        return certain

    def _learn(
        self, end: WatchedEnd, message: SipMessage, in_dialog: bool, user: int | None
    ) -> tuple[str, bool] | None:
        """What this request shows about the peer, and whether that is certain; None if it shows nothing."""
        if end.direction == OUT:
            return (_MW, True) if message.method == b"REGISTER" or self._nodes.is_node(end.peer) else None
        if self._nodes.is_node(end.peer) or message.forwarded:
            return _MW, True
        if message.method == b"REGISTER":
            return _GM, True
        if in_dialog or message.method not in _OPENING_METHODS:
            return None
        return (_MW, True) if self._has_many_users(end.peer, user) else (_GM, False)

    def _has_many_users(self, peer: bytes, user: int | None) -> bool:
        if user is None:
            return False
        users = self._users.get(peer)
        if users is None:
            users = set()
            self._users.put(peer, users)
        users.add(user)
        return len(users) > MANY_USERS
