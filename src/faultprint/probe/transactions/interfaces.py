"""Which reference point a leg belongs to (TS 23.002): Gm towards user equipment, Mw towards another CSCF.

Addresses alone do not say it, so what passes does. Strongest evidence first:

  given       the peer's interface was named
  node        the peer is itself a watched node: Mw
  core        it sent a request that another hop had already signed (two Via values), or was sent a REGISTER: Mw
  equipment   it sent a REGISTER, or opened a dialog, as the first hop: Gm
  crowd       it opened dialogs as the first hop, without a REGISTER, for more than MANY_USERS subscribers: Mw

A peer of which nothing is known yet is `unknown`. Evidence counts from the message that brings it; what a REGISTER or a
second Via has shown once stays.
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
_NOTHING: Final = (_UNKNOWN, False)
_EVIDENCE: Final = {pair: pair for word in (_GM, _MW, _UNKNOWN) for pair in ((word, False), (word, True))}
"""One object for each, however many peers share it."""
MANY_USERS: Final = 8
_MAX_PEERS: Final = 16_384
_MAX_CROWDS: Final = 1024
_OPENING: Final = frozenset({b"INVITE", b"SUBSCRIBE", b"MESSAGE", b"PUBLISH"})
"""Requests that user equipment starts with; a NOTIFY or OPTIONS of the core is a first hop's, too."""


class Peers:
    """Learns from every request that starts a transaction; asked about its leg in the same breath."""

    def __init__(self, nodes: WatchedNodes, given: Mapping[bytes, Interface] | None = None) -> None:
        self._nodes = nodes
        self._given = {peer: interface.value for peer, interface in (given or {}).items()}
        self._known: BoundedTable[bytes, tuple[str, bool]] = BoundedTable(_MAX_PEERS)
        self._crowds: BoundedTable[bytes, set[int]] = BoundedTable(_MAX_CROWDS)

    def interface(self, watch: WatchedEnd, message: SipMessage, in_dialog: bool, user: int | None) -> str:
        """The interface of a request's leg, as seen from `watch`; kept there once it is settled."""
        peer = watch.peer
        settled = self._given.get(peer) or self._given.get(peer[:-2])
        if settled is None:
            known, sure = self._known.get(peer, _NOTHING)
            if not sure:
                known, sure = self._learn(watch, message, in_dialog, user) or (known, sure)
                self._known.put(peer, _EVIDENCE[known, sure])
            if not sure:
                return known
            settled = known
        watch.interface = settled
        return settled

    def _learn(
        self, watch: WatchedEnd, message: SipMessage, in_dialog: bool, user: int | None
    ) -> tuple[str, bool] | None:
        """What this request says of the peer, and whether that settles it."""
        if watch.direction == OUT:
            return (_MW, True) if message.method == b"REGISTER" or self._is_node(watch.peer) else None
        if self._is_node(watch.peer) or message.forwarded:
            return _MW, True
        if message.method == b"REGISTER":
            return _GM, True
        if in_dialog or message.method not in _OPENING:
            return None
        return (_MW, True) if self._crowded(watch.peer, user) else (_GM, False)

    def _is_node(self, peer: bytes) -> bool:
        return self._nodes.holds(peer)

    def _crowded(self, peer: bytes, user: int | None) -> bool:
        if user is None:
            return False
        crowd = self._crowds.get(peer)
        if crowd is None:
            crowd = set()
            self._crowds.put(peer, crowd)
        crowd.add(user)
        return len(crowd) > MANY_USERS
