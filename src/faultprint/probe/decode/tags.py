"""Find the IP header after an EtherType: tags, MPLS labels, pseudowires, PPP and other headers may stand before it.

Each function returns the offset of the IP header, or NO_IP. An offset may lie behind the end of a truncated frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NO_IP: Final = -1
IPV4_TYPE: Final = 0x0800
IPV6_TYPE: Final = 0x86DD
BRIDGED: Final = 0x6558
"""An Ethernet frame (transparent Ethernet bridging) inside GRE or GENEVE."""
PPP_TYPE: Final = 0x880B
_TAGS: Final[Mapping[int, int]] = {
    0x8100: 4,  # 802.1Q
    0x88A8: 4,  # 802.1ad (QinQ)
    0x9100: 4,  # this and 0x9200: older switches, for the outer tag
    0x9200: 4,
    0x8926: 6,  # VN-Tag
    0x893F: 8,  # E-TAG of 802.1BR
    0xF1C1: 6,  # R-TAG of 802.1CB
    0x8909: 8,  # Cisco metadata with a security group
    0x88E7: 18,  # I-TAG of 802.1ah; the customer's addresses follow
    BRIDGED: 14,
}
"""EtherType of a tag → bytes from the start of its content to the end of the next EtherType."""
_MPLS_TYPES: Final = frozenset({0x8847, 0x8848})
_PPPOE: Final = 0x8864
_MACSEC: Final = 0x88E5
_MACSEC_ENCRYPTED: Final = 0x0C
_MACSEC_CHANNEL: Final = 0x20
_SERVICE_HEADER: Final = 0x894F
_PPP_TYPES: Final[Mapping[int, int]] = {0x0021: IPV4_TYPE, 0x0057: IPV6_TYPE, 0x0281: 0x8847, 0x0283: 0x8848}
"""PPP protocol → EtherType of the same payload."""
_NEXT_PROTOCOLS: Final[Mapping[int, int]] = {
    1: IPV4_TYPE,
    2: IPV6_TYPE,
    3: BRIDGED,
    4: _SERVICE_HEADER,
    5: 0x8847,
}
"""Next Protocol of VXLAN-GPE and of the network service header (RFC 8300) → EtherType."""
_SNAP: Final = frozenset({b"\xaa\xaa\x03\x00\x00\x00", b"\xaa\xaa\x03\x00\x00\xf8"})
_LLC_IP: Final = b"\x06\x06\x03"
_MAX_TAGS: Final = 16
"""Tags of one frame, or labels of one stack."""
_MAX_WIRES: Final = 3
"""Pseudowires inside each other. Each is tried in two ways, so that more would take long."""


def ethernet(data: bytes, at: int = 0, wires: int = 0) -> int:
    """The IP header in an Ethernet frame that starts at `at`, after its tags."""
    return after_type(data, int.from_bytes(data[at + 12 : at + 14], "big"), at + 14, wires)


def next_protocol(number: int) -> int:
    """EtherType of a Next Protocol of VXLAN-GPE or of the network service header. 0: unknown."""
    return _NEXT_PROTOCOLS.get(number, 0)


def after_type(data: bytes, kind: int, at: int, wires: int = 0) -> int:
    """The IP header in the content at `at` of EtherType `kind`. `wires`: pseudowires around it."""
    for _ in range(_MAX_TAGS):
        if kind in (IPV4_TYPE, IPV6_TYPE):
            return at
        if kind in _MPLS_TYPES:
            return mpls(data, at, wires)
        if kind in (_PPPOE, PPP_TYPE):
            return ppp(data, at + 6 if kind == _PPPOE else at, wires)
        if kind == _SERVICE_HEADER and at + 4 <= len(data):
            kind = next_protocol(data[at + 3])
            at += (data[at + 1] & 0x3F) * 4
            continue
        if kind < 0x0600 and data[at : at + 3] == _LLC_IP:
            return at + 3
        size = _TAGS.get(kind, 0) or _tag_size(data, kind, at)
        if size == 0:
            return NO_IP
        at += size
        kind = int.from_bytes(data[at - 2 : at], "big")
    return NO_IP


def _tag_size(data: bytes, kind: int, at: int) -> int:
    """As _TAGS, for headers whose content decides. A type below 0x0600 is a length. 0: nothing that can be read."""
    if kind < 0x0600:
        return 8 if data[at : at + 6] in _SNAP else 0
    if kind == _MACSEC and at < len(data) and not data[at] & _MACSEC_ENCRYPTED:
        return 16 if data[at] & _MACSEC_CHANNEL else 8
    return 0


def ppp(data: bytes, at: int, wires: int = 0) -> int:
    """The IP header in a PPP frame (RFC 1661), with or without its address and control bytes."""
    if data[at : at + 2] == b"\xff\x03":
        at += 2
    # A protocol below 256 may be compressed to one byte. Then the byte is odd.
    size = 1 if data[at : at + 1] and data[at] & 1 else 2
    kind = _PPP_TYPES.get(int.from_bytes(data[at : at + size], "big"), 0)
    return after_type(data, kind, at + size, wires) if kind else NO_IP


def is_packet(data: bytes, at: int) -> bool:
    """Whether what starts at `at` is probably an IP packet: its version and its lengths say so."""
    size = len(data) - at
    if at < 0 or size < 20:
        return False
    if data[at] >> 4 == 4:
        total = int.from_bytes(data[at + 2 : at + 4], "big")
        return (data[at] & 15) >= 5 and (total == 0 or 20 <= total <= size)
    return data[at] >> 4 == 6 and size >= 40 and int.from_bytes(data[at + 4 : at + 6], "big") + 40 <= size


def packet_or_frame(data: bytes, at: int, wires: int = 0) -> int:
    """The IP header where an IP packet or an Ethernet frame starts at `at`."""
    if is_packet(data, at):
        return at
    inner = ethernet(data, at, wires)
    return inner if is_packet(data, inner) else NO_IP


def mpls(data: bytes, at: int, wires: int = 0) -> int:
    """The IP header after the MPLS label stack at `at`.

    After the labels comes IP, or a pseudowire: an Ethernet frame with or without a control word (RFC 4448).
    """
    if wires >= _MAX_WIRES:
        return NO_IP
    for _ in range(_MAX_TAGS):
        if len(data) < at + 4:
            return NO_IP
        at += 4
        if data[at - 2] & 1:
            break
    else:
        return NO_IP
    if is_packet(data, at):
        return at
    if data[at : at + 1] and data[at] >> 4 == 0:
        inner = packet_or_frame(data, at + 4, wires + 1)
        if inner != NO_IP:
            return inner
    inner = packet_or_frame(data, at, wires + 1)
    if inner == NO_IP and data[at : at + 1] and data[at] >> 4 in (4, 6):
        return at  # a truncated packet
    return inner
