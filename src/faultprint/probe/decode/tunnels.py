"""Find the payload of a tunnel: GTP-U, GRE with ERSPAN, VXLAN, and ESP without encryption.

Each function takes the frame, and the offset and the end of the tunnel packet. It returns the payload, or None if this
is no such tunnel.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from faultprint.probe.decode import link

TCP: Final = 6
UDP: Final = 17


class TunnelPayload(NamedTuple):
    """The payload from `at` to `end`: an IP packet (`protocol` None), or a transport packet of this protocol."""

    at: int
    end: int
    protocol: int | None = None


def gtp_u(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """A G-PDU (TS 29.281): version 1, message type 255. Skips extension headers."""
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
    return TunnelPayload(inner, end) if inner < end else None


def vxlan(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """VXLAN (RFC 7348): an Ethernet frame after 8 bytes of header."""
    if end - at < 22 or data[at] != 8:
        return None
    return _frame(data, at + 8, end)


def gre(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """GRE (RFC 2784, RFC 2890) with IP, bridged Ethernet, or ERSPAN type I, II or III inside."""
    if end - at < 4 or data[at + 1] & 7:
        return None
    flags, kind = data[at], int.from_bytes(data[at + 2 : at + 4], "big")
    inner = at + 4 + 4 * (flags >> 7 & 1) + 4 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1)
    if kind in (0x0800, 0x86DD):
        return TunnelPayload(inner, end) if inner < end else None
    if kind == 0x6558:
        return _frame(data, inner, end)
    if kind == 0x88BE:
        return _frame(data, inner + (8 if flags & 0x10 else 0), end)
    if kind == 0x22EB and inner + 12 <= end:
        return _frame(data, inner + 12 + 8 * (data[inner + 11] & 1), end)
    return None


def _frame(data: bytes, at: int, end: int) -> TunnelPayload | None:
    inner = link.ethernet(data, at)
    return TunnelPayload(inner, end) if at < inner < end else None


_ICV_LENGTHS: Final = (12, 16, 0, 24, 32)
"""Lengths of the integrity check value of ESP: first HMAC-96 (IMS, TS 33.203), then the others in use."""


def esp_null(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """ESP with NULL encryption (RFC 2410). Known by its trailer (padding 1, 2, 3 …) and a plausible TCP or UDP header."""
    for icv in _ICV_LENGTHS:
        trailer = end - icv - 2
        if trailer < at + 16:
            continue
        padding, protocol = data[trailer], data[trailer + 1]
        stop = trailer - padding
        if stop < at + 16 or data[stop:trailer] != bytes(range(1, padding + 1)):
            continue
        if protocol == UDP and struct.unpack_from("!H", data, at + 12)[0] == stop - at - 8:
            return TunnelPayload(at + 8, stop, UDP)
        if protocol == TCP and 20 <= (data[at + 20] >> 4) * 4 <= stop - at - 8:
            return TunnelPayload(at + 8, stop, TCP)
    return None


def esp_in_udp(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """ESP in UDP (RFC 3948). Four zero bytes mark a key exchange instead."""
    return None if data[at : at + 4] == bytes(4) else esp_null(data, at, end)


UDP_PORTS: Final = {2152: gtp_u, 4789: vxlan, 4500: esp_in_udp}
"""Destination port → the tunnel that is tried first on datagrams to this port."""
IP_PROTOCOLS: Final = {47: gre, 50: esp_null}
IP_IN_IP: Final = frozenset({4, 41})
