"""The reference point of a leg (TS 23.002): Gm towards user equipment, Mw towards another CSCF.

Addresses alone do not show it. The probe uses the evidence of the traffic, strongest first:

  given       the user named the interface of the peer
  node        the peer is itself a watched node: Mw
  core        it sent a request that only a host of the core sends (two or more Via values, or a header of the core), or
              was sent a REGISTER: Mw
  equipment   it sent a REGISTER as the first hop: Gm
  many users  it opened dialogs as the first hop, without a REGISTER, for more than MANY_USERS subscribers, or was sent
              requests to as many users at its address: Mw
  route       it was sent a request with a Route: Mw
  first hop   it sent a request as the first hop, of a kind that the core seldom begins: Gm
  contact     it was sent a request to a contact at its address: Gm
  elsewhere   it was sent a request to a telephone number, a domain or the node itself, outside a dialog: Mw

The first five are certain: what they have shown never changes again. Evidence counts from the message that brings it.
A peer without evidence is `unknown`; evidence also names its transactions whose rows are not written by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.evidence import RequestTarget, from_core, from_equipment, is_routed
from faultprint.probe.transactions.nodes import OUT, WatchedEnd, WatchedNode, WatchedNodes
from faultprint.tables import Interface

_GM: Final = Interface.GM.value
_MW: Final = Interface.MW.value
UNKNOWN: Final = Interface.UNKNOWN.value
_NO_EVIDENCE: Final = (UNKNOWN, False)
_SHARED: Final = {pair: pair for interface in (_GM, _MW, UNKNOWN) for pair in ((interface, False), (interface, True))}
"""One object for each pair, however many peers have it: this saves memory."""
MANY_USERS: Final = 8
_MAX_PEERS: Final = 16_384
_MAX_COUNTED_PEERS: Final = 1024
_CORE_METHODS: Final = frozenset({b"NOTIFY", b"OPTIONS", b"CANCEL"})
"""Requests that the core sends as the first hop, too. A CANCEL has one Via on each leg."""


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
                known, is_certain = self._learn(end, message, in_dialog, user, known)
                self._known.put(peer, _SHARED[known, is_certain])
            if not is_certain:
                return known
            certain = known
        end.interface = certain
        return certain

    def known(self, end: WatchedEnd) -> str:
        """The interface of a leg by the evidence so far."""
        return end.interface or self._known.get(end.peer, _NO_EVIDENCE)[0]

    def _learn(
        self, end: WatchedEnd, message: SipMessage, in_dialog: bool, user: int | None, known: str
    ) -> tuple[str, bool]:
        """The interface after this request, and whether it is certain. `known`: the interface before it."""
        if self._nodes.is_node(end.peer):
            return _MW, True
        if end.direction == OUT:
            return self._learn_sent(end, message, in_dialog, known)
        if from_core(message):
            return _MW, True
        if message.method == b"REGISTER":
            return _GM, True
        if (known == _MW or message.method in _CORE_METHODS) and not from_equipment(message):
            return known, False
        opens = not in_dialog and message.method not in _CORE_METHODS
        return (_MW, True) if opens and self._has_many_users(end.peer, user) else (_GM, False)

    def _learn_sent(self, end: WatchedEnd, message: SipMessage, in_dialog: bool, known: str) -> tuple[str, bool]:
        """The same for a request that the node sent to the peer."""
        if message.method == b"REGISTER":
            return _MW, True
        if is_routed(message):
            return _MW, False
        target = RequestTarget(message)
        if target.is_at(end.peer) and not target.is_number:
            if target.user is None and message.method == b"OPTIONS":
                # A check whether the host is alive, which proxies get as well.
                return known, False
            if self._has_many_users(end.peer, None if target.user is None else hash(target.user)):
                return _MW, True
            return (_GM, False) if known == UNKNOWN else (known, False)
        if known != UNKNOWN:
            return known, False
        if target.is_browser:
            return _GM, False
        return _MW if not in_dialog and _is_elsewhere(target, end.node) else UNKNOWN, False

    def _has_many_users(self, peer: bytes, user: int | None) -> bool:
        if user is None:
            return False
        users = self._users.get(peer)
        if users is None:
            users = set()
            self._users.put(peer, users)
        users.add(user)
        return len(users) > MANY_USERS


def _is_elsewhere(target: RequestTarget, node: WatchedNode) -> bool:
    """Whether the next hop must find the destination: it is a number, a domain, or an address of the node itself."""
    return target.is_number or target.is_domain or any(target.is_at(endpoint) for endpoint in node.endpoints)
