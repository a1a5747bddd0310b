"""The nodes that are watched: their addresses, given or inferred, and the legs on which messages reach them.

An address without a port stands for every port of the host; an address with a port for that endpoint only, and goes
before the other. A message between two endpoints of one node does not cross its border and is not the node's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from faultprint.errors import UsageError
from faultprint.probe.bounded import BoundedTable
from faultprint.tables import Direction

_BRACKETED: Final = re.compile(r"\[([^\]]+)\](?::(\d+))?\Z")
_WITH_PORT: Final = re.compile(r"([0-9.]+):(\d+)\Z")
IN: Final = Direction.IN.value
OUT: Final = Direction.OUT.value
_MAX_LEGS: Final = 12_288


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to watch; without addresses they are inferred from the capture."""

    name: str
    addresses: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> NodeSpec:
        """From `NAME` or `NAME=ADDRESS[:PORT][,…]`, IPv6 with a port in brackets. Raises UsageError."""
        name, equals, rest = text.partition("=")
        addresses = tuple(address.strip() for address in rest.split(",")) if equals else ()
        if not name.strip():
            raise UsageError(f"Node {text!r} has no name; write it as NAME or NAME=ADDRESS[,ADDRESS].")
        return cls(name.strip(), tuple(format_endpoint(parse_endpoint(address)) for address in addresses))


def parse_endpoint(text: str) -> bytes:
    """The wire form of ADDRESS or ADDRESS:PORT: 4 or 16 bytes, two more for the port. Raises UsageError."""
    found = _BRACKETED.match(text) or _WITH_PORT.match(text)
    host, port = (found[1], found[2]) if found else (text, None)
    try:
        address = ipaddress.ip_address(host).packed
    except ValueError:
        raise UsageError(f"{text!r} is no IP address; write ADDRESS or ADDRESS:PORT (IPv6: [ADDRESS]:PORT).") from None
    if port is None:
        return address
    if not 0 < int(port) < 65_536:
        raise UsageError(f"{text!r} has port {port}, but ports go from 1 to 65535; correct or omit it.")
    return address + int(port).to_bytes(2, "big")


def format_endpoint(endpoint: bytes) -> str:
    """The inverse of `parse_endpoint`."""
    size = 4 if len(endpoint) in (4, 6) else 16
    address = str(ipaddress.ip_address(endpoint[:size]))
    if len(endpoint) == size:
        return address
    port = int.from_bytes(endpoint[size:], "big")
    return f"{address}:{port}" if size == 4 else f"[{address}]:{port}"


def split_leg(leg: bytes) -> tuple[bytes, bytes]:
    """Source and destination endpoint (address and port) of a leg as the decoder names it."""
    size = (len(leg) - 4) // 2
    return leg[:size] + leg[-4:-2], leg[size : 2 * size] + leg[-2:]


class WatchedNode:
    """A watched node; `mark` keeps apart what the nodes' shared tables know of one subscriber."""

    __slots__ = ("endpoints", "mark", "name")

    def __init__(self, name: str, endpoints: Sequence[bytes], mark: int) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self.mark = mark


class WatchedEnd:
    """A node at one end of a leg. `direction` is that of a request which travels along the leg."""

    __slots__ = ("direction", "interface", "node", "peer")

    def __init__(self, node: WatchedNode, direction: str, peer: bytes) -> None:
        self.node = node
        self.direction = direction
        self.peer = peer
        """Address of the other end, with its port if it shares the address with a node."""
        self.interface: str | None = None
        """Once it is settled (see `peers`)."""


class Leg:
    """A pair of endpoints. `pair` is the same for both directions and all ports: a response may take others (TS 33.203).

    `way` is the same for all ports, but not for both directions.
    """

    __slots__ = ("pair", "watches", "way")

    def __init__(self, source: bytes, target: bytes, watches: tuple[WatchedEnd, ...]) -> None:
        """`source` and `target`: addresses without ports."""
        self.way = source + target
        self.pair = min(source, target) + max(source, target)
        self.watches = watches


class WatchedNodes:
    """Looks up who is at the ends of a leg."""

    def __init__(self, addresses: Mapping[str, Sequence[bytes]]) -> None:
        """`addresses`: node name → endpoints in wire form. Raises UsageError if two nodes claim the same."""
        self._by_endpoint: dict[bytes, WatchedNode] = {}
        self._hosts: set[bytes] = set()
        for number, (name, endpoints) in enumerate(addresses.items()):
            node = WatchedNode(name, endpoints, (number * 0x9E3779B97F4A7C15) & (2**64 - 1))
            for endpoint in endpoints:
                other = self._by_endpoint.setdefault(endpoint, node)
                if other is not node:
                    raise UsageError(
                        f"Nodes {other.name!r} and {name!r} both have {format_endpoint(endpoint)}; "
                        "an address belongs to one node, so add ports to tell them apart."
                    )
                self._hosts.add(endpoint[: 4 if len(endpoint) in (4, 6) else 16])
        self.legs: BoundedTable[bytes, Leg] = BoundedTable(_MAX_LEGS)
        """Those made lately, for a quick look before `leg` is asked."""

    def leg(self, wire: bytes) -> Leg:
        """The leg of source address, destination address, both ports."""
        found = self.legs.get(wire)
        if found is None:
            found = self._make(wire)
            self.legs.put(wire, found)
        return found

    def _make(self, wire: bytes) -> Leg:
        source, target = split_leg(wire)
        sender, receiver = self.at(source), self.at(target)
        watches: tuple[WatchedEnd, ...] = ()
        if sender is not receiver:
            if sender is not None:
                watches += (WatchedEnd(sender, OUT, self._peer(target)),)
            if receiver is not None:
                watches += (WatchedEnd(receiver, IN, self._peer(source)),)
        return Leg(source[:-2], target[:-2], watches)

    def at(self, endpoint: bytes) -> WatchedNode | None:
        """The node with this endpoint (address and port), or None."""
        return self._by_endpoint.get(endpoint) or self._by_endpoint.get(endpoint[:-2])

    def holds(self, peer: bytes) -> bool:
        """Whether a peer, as a Watch names it, is (a port of) a node's address."""
        return peer in self._by_endpoint or peer[:-2] in self._by_endpoint

    def _peer(self, endpoint: bytes) -> bytes:
        return endpoint if endpoint[:-2] in self._hosts else endpoint[:-2]
