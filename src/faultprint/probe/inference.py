"""Which address is the node's own, when nobody says: the one that the requests of the capture have in common."""

from __future__ import annotations

from collections import Counter
from typing import Final

from faultprint.probe.message import Message
from faultprint.probe.nodes import Nodes, split_leg

ENOUGH: Final = 5000
"""Requests that are looked at, at most."""
_MAX_CANDIDATES: Final = 20_000


class Inference:
    """Counts who sends and who receives requests. `deliver` fits a Decoder."""

    def __init__(self, others: Nodes) -> None:
        """`others`: nodes whose addresses are known already, and are therefore not this one's."""
        self._others = others
        self._sent: Counter[bytes] = Counter()
        self._received: Counter[bytes] = Counter()
        self._shared: set[bytes] = set()
        self.requests = 0

    def deliver(self, timestamp: int, wire: bytes, message: Message) -> None:
        if message.status or message.defect or self.requests >= ENOUGH or len(self._sent) > _MAX_CANDIDATES:
            return
        self.requests += 1
        source, target = split_leg(wire)
        self._sent[source] += 1
        self._received[target] += 1
        if source[:-2] == target[:-2]:
            self._shared.add(source[:-2])

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
            return None
        host = max(hosts, key=lambda address: hosts[address] + min(hosts[address], sent[address]))
        if host not in self._shared:
            return host
        ports = [endpoint for endpoint in self._received if endpoint[:-2] == host and self._others.at(endpoint) is None]
        return max(ports, key=lambda end: self._received[end] + min(self._received[end], self._sent[end]))
