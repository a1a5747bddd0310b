"""The watched nodes: their addresses, given or inferred, and the legs on which their messages travel.

An address without a port stands for every port of the host. An address with a port stands for that endpoint only, and
takes precedence. A SIP message between two endpoints of one node stays inside the node and does not count. A Diameter
message does, because the HSS or PCRF on the same host is another function.
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
_SALT: Final = 0x9E3779B97F4A7C15
"""An odd constant with mixed bits (2⁶⁴ divided by the golden ratio): its multiples differ in many bits."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to watch. Without addresses, the probe infers them from the capture."""

    name: str
    addresses: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> NodeSpec:
        """From `NAME` or `NAME=ADDRESS[:PORT][,…]`. An IPv6 address with a port is in brackets. Raises UsageError."""
        name, equals, rest = text.partition("=")
        addresses = tuple(address.strip() for address in rest.split(",")) if equals else ()
        if not name.strip():
            raise UsageError(f"Node {text!r} has no name; write it as NAME or NAME=ADDRESS[,ADDRESS].")
        return cls(name.strip(), tuple(format_endpoint(parse_endpoint(address)) for address in addresses))


def parse_endpoint(text: str) -> bytes:
    """The wire form of ADDRESS or ADDRESS:PORT: 4 or 16 bytes, and two more for the port. Raises UsageError."""
    match = _BRACKETED.match(text) or _WITH_PORT.match(text)
    host, port = (match[1], match[2]) if match else (text, None)
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
    """Source and destination endpoint (address and port) of a leg in the decoder's form."""
    size = (len(leg) - 4) // 2
    return leg[:size] + leg[-4:-2], leg[size : 2 * size] + leg[-2:]


class WatchedNode:
    """A watched node. `salt` makes keys of one subscriber differ between nodes that share a table."""

    __slots__ = ("endpoints", "name", "salt")

    def __init__(self, name: str, endpoints: Sequence[bytes], salt: int) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self.salt = salt


class WatchedEnd:
    """A watched node at one end of a leg. `direction` is that of a request which travels along the leg."""

    __slots__ = ("direction", "interface", "node", "peer")

    def __init__(self, node: WatchedNode, direction: str, peer: bytes) -> None:
        self.node = node
        self.direction = direction
        self.peer = peer
        """Address of the other end, with its port if it shares the address with a node."""
        self.interface: str | None = None
        """The interface, once it is certain (see `interfaces`)."""


class Leg:
    """A pair of endpoints.

    `pair` is the same for both directions and all ports: a response may use other ports (TS 33.203). `directed_pair`
    is the same for all ports, but differs between the directions.
    """

    __slots__ = ("directed_pair", "inside", "pair", "source", "target", "watched_ends")

    def __init__(
        self,
        source: bytes,
        target: bytes,
        watched_ends: tuple[WatchedEnd, ...],
        inside: WatchedNode | None = None,
    ) -> None:
        """`source` and `target`: addresses without ports. `inside`: the node that has both ends."""
        self.source = source
        self.target = target
        self.inside = inside
        self.directed_pair = source + target
        self.pair = min(source, target) + max(source, target)
        self.watched_ends = watched_ends


class WatchedNodes:
    """Finds the watched nodes at the ends of a leg."""

    def __init__(self, addresses: Mapping[str, Sequence[bytes]]) -> None:
        """`addresses`: node name → endpoints in wire form. Raises UsageError if two nodes have the same endpoint."""
        self._by_endpoint: dict[bytes, WatchedNode] = {}
        self._hosts: set[bytes] = set()
        for number, (name, endpoints) in enumerate(addresses.items()):
            node = WatchedNode(name, endpoints, (number * _SALT) & (2**64 - 1))
            for endpoint in endpoints:
                other = self._by_endpoint.setdefault(endpoint, node)
                if other is not node:
                    raise UsageError(
                        f"Nodes {other.name!r} and {name!r} both have {format_endpoint(endpoint)}; "
                        "an address belongs to one node, so add ports to tell them apart."
                    )
                self._hosts.add(endpoint[: 4 if len(endpoint) in (4, 6) else 16])
        self.heard: set[str] = set()
        """Names of the nodes at an end of any leg so far."""
        self.legs: BoundedTable[bytes, Leg] = BoundedTable(_MAX_LEGS)
        """Recent legs, for a fast lookup before a call of `leg`."""

    def leg(self, leg_key: bytes) -> Leg:
        """The leg with this source address, destination address and both ports."""
        leg = self.legs.get(leg_key)
        if leg is None:
            leg = self._create_leg(leg_key)
            self.legs.put(leg_key, leg)
        return leg

    def _create_leg(self, leg_key: bytes) -> Leg:
        source, target = split_leg(leg_key)
        sender, receiver = self.node_at(source), self.node_at(target)
        self.heard.update(node.name for node in (sender, receiver) if node is not None)
        ends: tuple[WatchedEnd, ...] = ()
        if sender is not receiver:
            if sender is not None:
                ends += (WatchedEnd(sender, OUT, self._peer(target)),)
            if receiver is not None:
                ends += (WatchedEnd(receiver, IN, self._peer(source)),)
        return Leg(source[:-2], target[:-2], ends, sender if sender is receiver else None)

    def node_at(self, endpoint: bytes) -> WatchedNode | None:
        """The node with this endpoint (address and port), or None."""
        return self._by_endpoint.get(endpoint) or self._by_endpoint.get(endpoint[:-2])

    def is_node(self, peer: bytes) -> bool:
        """Whether the `peer` of a WatchedEnd is the address, or an endpoint, of a watched node."""
        return peer in self._by_endpoint or peer[:-2] in self._by_endpoint

    def _peer(self, endpoint: bytes) -> bytes:
        return endpoint if endpoint[:-2] in self._hosts else endpoint[:-2]
