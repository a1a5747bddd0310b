"""IPsec: the payload of ESP without encryption (IMS, TS 33.203), and of the authentication header."""

from __future__ import annotations

from typing import Final

from faultprint.probe.decode.payload import TCP, UDP, TunnelPayload

_ICV_LENGTHS: Final = (12, 16, 0, 24, 32)
"""Lengths of the integrity check value of ESP: first HMAC-96 (IMS, TS 33.203), then the others in use."""
_IPV4, _IPV6 = 4, 41


def esp_null(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """ESP with NULL encryption (RFC 2410). Known by its trailer (padding 1, 2, 3 …) and a plausible header inside."""
    for icv in _ICV_LENGTHS:
        trailer = end - icv - 2
        if trailer < at + 16:
            continue
        padding, protocol = data[trailer], data[trailer + 1]
        stop = trailer - padding
        if stop < at + 16 or data[stop:trailer] != bytes(range(1, padding + 1)):
            continue
        if _is_plausible(data, at + 8, stop, protocol):
            return TunnelPayload(at + 8, stop, protocol)
    return None


def _is_plausible(data: bytes, at: int, end: int, protocol: int) -> bool:
    """Whether the content of `protocol` at `at` has the lengths that its header says."""
    if protocol == UDP:
        return int.from_bytes(data[at + 4 : at + 6], "big") == end - at
    if protocol == TCP:
        return end - at >= 20 and 20 <= (data[at + 12] >> 4) * 4 <= end - at
    if protocol == _IPV4:
        return end - at >= 20 and data[at] >> 4 == 4 and int.from_bytes(data[at + 2 : at + 4], "big") == end - at
    if protocol == _IPV6:
        return end - at >= 40 and data[at] >> 4 == 6 and int.from_bytes(data[at + 4 : at + 6], "big") + 40 == end - at
    return False


def esp_in_udp(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """ESP in UDP (RFC 3948). Four zero bytes mark a key exchange instead."""
    return None if data[at : at + 4] == bytes(4) else esp_null(data, at, end)


def authentication(data: bytes, at: int, end: int) -> TunnelPayload | None:
    """The authentication header (RFC 4302)."""
    if end - at < 12:
        return None
    inner = at + (data[at + 1] + 2) * 4
    return TunnelPayload(inner, end, data[at]) if inner < end else None
