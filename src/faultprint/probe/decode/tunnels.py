"""Find the payload of a tunnel: GTP-U, GRE, VXLAN, GENEVE, L2TP, MPLS, EtherIP, TZSP, and ESP without encryption.

Each function takes the frame, and the offset and the end of the tunnel packet. It returns the payload, or None if this
is no such tunnel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from faultprint.probe.decode import tags
from faultprint.probe.decode.esp import authentication, esp_in_udp, esp_null
from faultprint.probe.decode.payload import TunnelPayload

_ERSPAN_II, _ERSPAN_III = 0x88BE, 0x22EB


def gtp_u(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """A G-PDU (TS 29.281): version 1, message type 255. Skips extension headers. IP or Ethernet is inside."""
    if end - at < 8 or data[at] >> 4 != 3 or data[at + 1] != 255:
        return None
    inner = at + 8
    if data[at] & 7:
        inner += 4
        next_extension = data[inner - 1] if data[at] & 4 and inner <= end else 0
        while next_extension:
            if inner >= end or not data[inner]:
                return None
            inner += data[inner] * 4
            if inner > end:
                return None
            next_extension = data[inner - 1]
    if inner < end and data[inner] >> 4 in (4, 6):
        return TunnelPayload(inner, end)
    return _found(data, tags.packet_or_frame(data, inner), at, end)


def vxlan(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """VXLAN (RFC 7348), also with a group policy: an Ethernet frame after 8 bytes of header."""
    if end - at < 22 or data[at] & 0x7F != 8:
        return None
    return _found(data, tags.ethernet(data, at + 8), at, end)


def vxlan_gpe(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """VXLAN with a Next Protocol (draft-ietf-nvo3-vxlan-gpe)."""
    if end - at < 8 or data[at] & 0xF8 != 8:
        return None
    kind = tags.next_protocol(data[at + 3]) if data[at] & 4 else tags.BRIDGED
    return _found(data, tags.after_type(data, kind, at + 8), at, end)


def geneve(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """GENEVE (RFC 8926), version 0, with its options."""
    if end - at < 8 or data[at] >> 6:
        return None
    kind = int.from_bytes(data[at + 2 : at + 4], "big")
    return _found(data, tags.after_type(data, kind, at + 8 + (data[at] & 0x3F) * 4), at, end)


def gre(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """GRE with anything that has an EtherType, or with ERSPAN type I, II or III inside.

    Version 0 (RFC 2784, RFC 2890), or version 1 with PPP (RFC 2637).
    """
    if end - at < 4 or data[at] & 0x40:
        return None
    flags, version, kind = data[at], data[at + 1] & 7, int.from_bytes(data[at + 2 : at + 4], "big")
    inner = at + 4 + 4 * (flags >> 7 & 1) + 4 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1)
    if version == 1:
        if kind != tags.PPP_TYPE or flags & 0x80:
            return None
        inner += 4 * (data[at + 1] >> 7)
    elif version:
        return None
    elif kind == _ERSPAN_II:
        return _found(data, tags.ethernet(data, inner + (8 if flags & 0x10 else 0)), at, end)
    elif kind == _ERSPAN_III:
        return _erspan(data, inner, end)
    return _found(data, tags.after_type(data, kind, inner), at, end)


def _erspan(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """ERSPAN type III: 12 bytes of header, and 8 more for a platform."""
    if end - at < 12:
        return None
    inner = at + 12 + 8 * (data[at + 11] & 1)
    carries_ip = data[at + 10] >> 2 & 31 == 2
    return _found(data, inner if carries_ip else tags.ethernet(data, inner), at, end)


def l2tp_in_udp(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """A data message of L2TP version 2 (RFC 2661, PPP inside) or version 3 (RFC 3931)."""
    if end - at < 8 or data[at] & 0x80:
        return None
    if data[at + 1] & 15 == 3:
        return l2tp_session(data, at + 4, end)
    if data[at + 1] & 15 != 2:
        return None
    inner = at + 6 + 2 * (data[at] >> 6 & 1) + 4 * (data[at] >> 3 & 1)
    if data[at] & 2:
        inner += 2 + int.from_bytes(data[inner : inner + 2], "big")
    return _found(data, tags.ppp(data, inner), at, end)


def l2tp_session(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """A data message of L2TP version 3 from its session identifier on. Identifier 0: control.

    Only the tunnel's ends know the length of the cookie, and whether a sublayer header follows. All lengths are tried.
    """
    if data[at : at + 4] == bytes(4):
        return None
    for skipped in (4, 8, 12, 16):
        inner = tags.packet_or_frame(data, at + skipped)
        if inner == tags.NO_IP:
            inner = tags.ppp(data, at + skipped)
        if tags.is_packet(data, inner):
            return _found(data, inner, at, end)
    return None


def mpls(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """MPLS in IP (RFC 4023) or in UDP (RFC 7510)."""
    return _found(data, tags.mpls(data, at), at, end)


def ether_ip(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """EtherIP (RFC 3378): an Ethernet frame after 2 bytes."""
    if data[at : at + 2] != b"\x30\x00":
        return None
    return _found(data, tags.ethernet(data, at + 2), at, end)


def tzsp(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """TaZmen Sniffer Protocol: a mirrored Ethernet frame after tagged fields."""
    if end - at < 5 or data[at] != 1 or data[at + 2 : at + 4] != b"\x00\x01":
        return None
    inner = at + 4
    while inner < end and data[inner] != 1:
        if data[inner] == 0:
            inner += 1
        elif inner + 1 < end:
            inner += 2 + data[inner + 1]
        else:
            return None
    return _found(data, tags.ethernet(data, inner + 1), at, end)


def _found(data: bytes, inner: int, at: int, end: int) -> TunnelPayload | None:
    return TunnelPayload(inner, end) if at < inner < end else None


Tunnel = Callable[[bytes, int, int], TunnelPayload | None]
UDP_PORTS: Final[Mapping[int, Tunnel]] = {
    1701: l2tp_in_udp,
    2152: gtp_u,
    4500: esp_in_udp,
    4754: gre,
    4789: vxlan,
    4790: vxlan_gpe,
    6081: geneve,
    6635: mpls,
    8472: vxlan,  # Linux before the port was assigned
    37008: tzsp,
}
"""Destination port → the tunnel that is tried first on datagrams to this port."""
UDP_SOURCES: Final[Mapping[int, Tunnel]] = {1701: l2tp_in_udp, 2152: gtp_u, 4500: esp_in_udp}
"""Source port → the tunnel that is tried on datagrams that are not SIP. The other end is behind address translation."""
IP_PROTOCOLS: Final[Mapping[int, Tunnel]] = {
    47: gre,
    50: esp_null,
    51: authentication,
    97: ether_ip,
    115: l2tp_session,
    137: mpls,
}
IP_IN_IP: Final = frozenset({4, 41})
