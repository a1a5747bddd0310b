"""Infer the address of a node without one: the host that serves most peers.

SIP decides if there is any. In a capture of Diameter alone the node is the CSCF: the client of an HSS or a PCRF, and
the receiver of their requests.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.diameter import APPLICATIONS, REQUESTS_TO_CSCF
from faultprint.probe.transactions.nodes import WatchedNodes, split_leg

MAX_REQUESTS: Final = 5000
"""SIP requests that are counted, at most."""
_MAX_CANDIDATES: Final = 20_000


class NodeInference:
    """Counts the senders and receivers of requests. A Decoder can deliver to `sip` and `diameter`."""

    def __init__(self, others: WatchedNodes, *, unbounded: bool = False) -> None:
        """`others`: nodes with known addresses. The inferred address is none of theirs.

        `unbounded`: count all requests, not only the first MAX_REQUESTS.
        """
        self._others = others
        self._unbounded = unbounded
        self._peers: dict[bytes, set[bytes]] = {}
        """Host → hosts that sent it requests."""
        self._known_peers = 0
        self._sent: Counter[bytes] = Counter()
        self._received: Counter[bytes] = Counter()
        self._shared_hosts: set[bytes] = set()
        self._cscf: Counter[bytes] = Counter()
        self._diameter_servers: set[bytes] = set()
        self.requests = 0
        """SIP requests so far."""

    def sip(self, timestamp: int, leg_key: bytes, message: SipMessage) -> None:
        """Count one SIP message."""
        # A message with a defect shows who talks to whom, too.
        if message.status or not message.method or len(self._sent) > _MAX_CANDIDATES:
            return
        if self.requests >= MAX_REQUESTS and not self._unbounded:
            return
        self.requests += 1
        source, target = split_leg(leg_key)
        peers = self._peers.setdefault(target[:-2], set())
        if source[:-2] not in peers and self._known_peers < _MAX_CANDIDATES:
            peers.add(source[:-2])
            self._known_peers += 1
        self._sent[source] += 1
        self._received[target] += 1
        if source[:-2] == target[:-2]:
            self._shared_hosts.add(source[:-2])

    def diameter(self, timestamp: int, leg_key: bytes, message: DiameterMessage) -> None:
        """Count one Diameter message."""
        if message.application not in APPLICATIONS or message.defect:
            return
        if len(self._cscf) > _MAX_CANDIDATES or len(self._diameter_servers) > _MAX_CANDIDATES:
            return
        source, target = split_leg(leg_key)
        # An answer shows as much as a request, in the other direction.
        to_cscf = message.request == ((message.application, message.command) in REQUESTS_TO_CSCF)
        cscf, server = (target, source) if to_cscf else (source, target)
        self._cscf[cscf] += 1
        self._diameter_servers.add(server[:-2])

    def best_endpoint(self) -> bytes | None:
        """The address of the node, with its port if several parties share the address. None if there was no request.

        A node is a server: many peers send it requests, and it often forwards them. A host that only sends requests is a
        client, however many it sends.
        """
        received: Counter[bytes] = Counter()
        sent: Counter[bytes] = Counter()
        for endpoint, count in self._received.items():
            if self._others.node_at(endpoint) is None:
                received[endpoint[:-2]] += count
        for endpoint, count in self._sent.items():
            sent[endpoint[:-2]] += count
        if not received:
            return self._best_cscf()
        host = max(
            received,
            key=lambda address: (len(self._peers[address]), received[address] + min(received[address], sent[address])),
        )
        if host not in self._shared_hosts:
            return host
        endpoints = [
            endpoint for endpoint in self._received if endpoint[:-2] == host and self._others.node_at(endpoint) is None
        ]
        return max(endpoints, key=lambda end: self._received[end] + min(self._received[end], self._sent[end]))

    def servers(self) -> list[tuple[bytes, int, int, int]]:
        """Address, number of peers, requests received and sent, of each host that received one; most peers first."""
        received: Counter[bytes] = Counter()
        sent: Counter[bytes] = Counter()
        for counter, counts in ((received, self._received), (sent, self._sent)):
            for endpoint, count in counts.items():
                counter[endpoint[:-2]] += count
        rows = [(host, len(self._peers[host]), count, sent[host]) for host, count in received.items()]
        return sorted(rows, key=lambda row: row[1:], reverse=True)

    def _best_cscf(self) -> bytes | None:
        candidates = {
            endpoint: count for endpoint, count in self._cscf.items() if self._others.node_at(endpoint) is None
        }
        hosts: Counter[bytes] = Counter()
        for endpoint, count in candidates.items():
            hosts[endpoint[:-2]] += count
        if not hosts:
            return None
        host = max(hosts, key=hosts.__getitem__)
        if host not in self._diameter_servers:
            return host
        return max((endpoint for endpoint in candidates if endpoint[:-2] == host), key=candidates.__getitem__)
