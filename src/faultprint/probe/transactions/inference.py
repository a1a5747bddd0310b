"""Which address is the node's own, when nobody says: the one that the requests of the capture have in common.

SIP decides wherever there is any. In a capture of Diameter alone the node is the CSCF: it asks an HSS or a PCRF, and is
asked by them.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.diameter import APPLICATIONS, TO_CSCF
from faultprint.probe.transactions.nodes import WatchedNodes, split_leg

ENOUGH: Final = 5000
"""Requests that are looked at, at most."""
_MAX_CANDIDATES: Final = 20_000


class Inference:
    """Counts who sends and who receives requests. `sip` and `diameter` fit a Decoder."""

    def __init__(self, others: WatchedNodes) -> None:
        """`others`: nodes whose addresses are known already, and are therefore not this one's."""
        self._others = others
        self._sent: Counter[bytes] = Counter()
        self._received: Counter[bytes] = Counter()
        self._shared: set[bytes] = set()
        self._cscf: Counter[bytes] = Counter()
        self._servers: set[bytes] = set()
        self.requests = 0
        """Of SIP."""

    def sip(self, timestamp: int, wire: bytes, message: SipMessage) -> None:
        if message.status or message.defect or self.requests >= ENOUGH or len(self._sent) > _MAX_CANDIDATES:
            return
        self.requests += 1
        source, target = split_leg(wire)
        self._sent[source] += 1
        self._received[target] += 1
        if source[:-2] == target[:-2]:
            self._shared.add(source[:-2])

    def diameter(self, timestamp: int, wire: bytes, message: DiameterMessage) -> None:
        if message.application not in APPLICATIONS or message.defect:
            return
        if len(self._cscf) > _MAX_CANDIDATES or len(self._servers) > _MAX_CANDIDATES:
            return
        source, target = split_leg(wire)
        # An answer says as much as a request does, the other way round.
        asked = message.request == ((message.application, message.command) in TO_CSCF)
        cscf, server = (target, source) if asked else (source, target)
        self._cscf[cscf] += 1
        self._servers.add(server[:-2])

    def best(self) -> bytes | None:
        """Address of the node; with its port if the requests show several parties on that address; None if no request.

        A node serves: it receives requests, and often sends them on. Whoever only sends is a client, however much.
        """
        hosts: Counter[bytes] = Counter()
        sent: Counter[bytes] = Counter()
        for endpoint, count in self._received.items():
            if self._others.at(endpoint) is None:
                hosts[endpoint[:-2]] += count
        for endpoint, count in self._sent.items():
            sent[endpoint[:-2]] += count
        if not hosts:
            return self._best_cscf()
        host = max(hosts, key=lambda address: hosts[address] + min(hosts[address], sent[address]))
        if host not in self._shared:
            return host
        ports = [endpoint for endpoint in self._received if endpoint[:-2] == host and self._others.at(endpoint) is None]
        return max(ports, key=lambda end: self._received[end] + min(self._received[end], self._sent[end]))

    def _best_cscf(self) -> bytes | None:
        free = {endpoint: count for endpoint, count in self._cscf.items() if self._others.at(endpoint) is None}
        hosts: Counter[bytes] = Counter()
        for endpoint, count in free.items():
            hosts[endpoint[:-2]] += count
        if not hosts:
            return None
        host = max(hosts, key=hosts.__getitem__)
        if host not in self._servers:
            return host
        return max((endpoint for endpoint in free if endpoint[:-2] == host), key=free.__getitem__)
