"""Find the IP header in a frame. The numbers are LINKTYPE_ values of tcpdump.org and EtherTypes of the IEEE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

NO_IP: Final = -1
ETHERNET: Final = 1

_IP_TYPES: Final = frozenset({0x0800, 0x86DD})
_VLAN_TYPES: Final = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
"""802.1Q, 802.1ad (QinQ), and two types that older switches use for the outer tag."""
_MPLS_TYPES: Final = frozenset({0x8847, 0x8848})
_PPPOE: Final = 0x8864
_PPP_IP: Final = frozenset({0x0021, 0x0057})
_SNAP: Final = b"\xaa\xaa\x03\x00\x00\x00"
_MAX_TAGS: Final = 8


def ethernet(data: bytes, at: int = 0) -> int:
    """Offset of the IP header in an Ethernet frame that starts at `at`, after its tags. NO_IP if there is none."""
    return after_type(data, at + 12)


def after_type(data: bytes, at: int) -> int:
    """Offset of the IP header after the EtherType at `at`, or NO_IP."""
    for _ in range(_MAX_TAGS):
        kind = int.from_bytes(data[at : at + 2], "big")
        if kind in _IP_TYPES:
            return at + 2
        if kind in _VLAN_TYPES:
            at += 4
        elif kind in _MPLS_TYPES:
            return _after_labels(data, at + 2)
        elif kind == _PPPOE:
            return at + 10 if int.from_bytes(data[at + 8 : at + 10], "big") in _PPP_IP else NO_IP
        elif kind < 0x0600 and data[at + 2 : at + 8] == _SNAP:
            at += 8
        else:
            return NO_IP
    return NO_IP


def _after_labels(data: bytes, at: int) -> int:
    for _ in range(_MAX_TAGS):
        if len(data) < at + 4:
            return NO_IP
        at += 4
        if data[at - 2] & 1:
            return at
    return NO_IP


def _ppp(data: bytes) -> int:
    at = 2 if data[:2] == b"\xff\x03" else 0
    return at + 2 if int.from_bytes(data[at : at + 2], "big") in _PPP_IP else NO_IP


LAYERS: Final[Mapping[int, Callable[[bytes], int]]] = {
    0: lambda data: 4,  # BSD loopback: the address family has another number on each system, so the IP version decides
    ETHERNET: ethernet,
    9: _ppp,
    12: lambda data: 0,  # raw IP: DLT_RAW on most systems
    14: lambda data: 0,
    101: lambda data: 0,
    108: lambda data: 4,  # OpenBSD loopback
    113: lambda data: after_type(data, 14),  # Linux cooked v1
    228: lambda data: 0,
    229: lambda data: 0,
    276: lambda data: NO_IP if len(data) < 20 else (20 if int.from_bytes(data[:2], "big") in _IP_TYPES else NO_IP),
}
"""Link type → function from a frame to the offset of its IP header, or NO_IP."""
