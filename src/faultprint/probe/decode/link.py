"""Find the IP header in a frame. The numbers are LINKTYPE_ values of tcpdump.org."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from faultprint.probe.decode.tags import NO_IP, after_type, ethernet, mpls, ppp

ETHERNET: Final = 1
RAW_IP: Final = 101
"""LINKTYPE_RAW of tcpdump.org: the frame begins with the IP header."""
_MAX_FIELDS: Final = 16


def _loopback(data: bytes) -> int:
    # The address family has another number on each system, so the IP version decides.
    return 4


def _ethernet(data: bytes) -> int:
    return ethernet(data)


def _raw(data: bytes) -> int:
    return 0


def _ppp(data: bytes) -> int:
    return _hdlc(data) if data[:2] in (b"\x0f\x00", b"\x8f\x00") else ppp(data, 0)


def _ppp_with_direction(data: bytes) -> int:
    """One byte says the direction. It stands before the frame, or takes the place of the address byte."""
    return ppp(data, 2) if data[1:2] == b"\x03" else ppp(data, 1)


def _hdlc(data: bytes) -> int:
    return after_type(data, int.from_bytes(data[2:4], "big"), 4)


def _hdlc_with_direction(data: bytes) -> int:
    return after_type(data, int.from_bytes(data[3:5], "big"), 5)


def _frame_relay(data: bytes) -> int:
    """Multiprotocol over frame relay (RFC 2427) with an address of two to four bytes."""
    at = 0
    while at < 4 and data[at : at + 1] and not data[at] & 1:
        at += 1
    at += 1
    if data[at : at + 1] != b"\x03":
        return after_type(data, int.from_bytes(data[at : at + 2], "big"), at + 2)  # Cisco's own encapsulation
    at += 1
    if data[at : at + 1] == b"\x00":
        at += 1
    if data[at : at + 1] in (b"\xcc", b"\x8e"):
        return at + 1
    if data[at : at + 4] == b"\x80\x00\x00\x00":
        return after_type(data, int.from_bytes(data[at + 4 : at + 6], "big"), at + 6)
    return NO_IP


def _llc(data: bytes) -> int:
    return after_type(data, 0, 0)


def _cooked(data: bytes) -> int:
    return after_type(data, int.from_bytes(data[14:16], "big"), 16)


def _cooked_v2(data: bytes) -> int:
    return after_type(data, int.from_bytes(data[:2], "big"), 20) if len(data) >= 20 else NO_IP


def _firewall_log(data: bytes) -> int:
    return (data[0] + 3) & ~3 if data else NO_IP


def _netfilter_log(data: bytes) -> int:
    """Linux netfilter log: after 4 bytes, fields with length and type in the order of the host that captured."""
    at = 4
    for _ in range(_MAX_FIELDS):
        size, kind = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 9:
            return at + 4
        if size < 4:
            return NO_IP
        at += (size + 3) & ~3
    return NO_IP


def _pppoe(data: bytes) -> int:
    return ppp(data, 6)


def _mpls(data: bytes) -> int:
    return mpls(data, 0)


def _preamble(data: bytes) -> int:
    return ethernet(data, 8)


def _encapsulation(data: bytes) -> int:
    return 12


LAYERS: Final[Mapping[int, Callable[[bytes], int]]] = {
    0: _loopback,
    ETHERNET: _ethernet,
    9: _ppp,
    11: _llc,  # ATM with LLC (RFC 2684)
    12: _raw,  # DLT_RAW on most systems
    14: _raw,
    50: _ppp,  # PPP or Cisco HDLC on a serial line
    51: _pppoe,
    RAW_IP: _raw,
    104: _hdlc,
    107: _frame_relay,
    108: _loopback,
    109: _encapsulation,  # OpenBSD, decrypted IPsec
    113: _cooked,
    117: _firewall_log,
    166: _ppp_with_direction,
    204: _ppp_with_direction,
    205: _hdlc_with_direction,
    219: _mpls,
    228: _raw,
    229: _raw,
    239: _netfilter_log,
    274: _preamble,
    276: _cooked_v2,
}
"""Link type → function from a frame to the offset of its IP header, or NO_IP."""

_NAMES: Final[Mapping[int, str]] = {
    105: "IEEE 802.11",
    119: "IEEE 802.11 with Prism header",
    127: "IEEE 802.11 with radiotap header",
    163: "IEEE 802.11 with AVS header",
    192: "per-packet information",
    139: "MTP2 with header",
    140: "MTP2",
    141: "MTP3",
    142: "SCCP",
    189: "USB",
    195: "IEEE 802.15.4",
    201: "Bluetooth",
    248: "SCTP",
    252: "exported PDU of Wireshark",
    253: "netlink",
}


def unknown_name(kind: int) -> str:
    """Number and, if it is known, name of a link layer that cannot be read."""
    name = _NAMES.get(kind)
    return f"{kind} ({name})" if name else str(kind)
