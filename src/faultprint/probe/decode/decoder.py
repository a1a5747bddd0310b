"""Frames → SIP and Diameter messages: decodes link layer, IP, tunnels and transport."""

from __future__ import annotations

import re
import struct
from collections import Counter
from typing import Final

from faultprint.probe.decode import link, sctp, tunnels
from faultprint.probe.decode.fragments import Fragments
from faultprint.probe.decode.payload import TCP, UDP, TunnelPayload
from faultprint.probe.decode.tags import NO_IP
from faultprint.probe.decode.tcp import TcpStreams
from faultprint.probe.messages.sip import START_LINE, SipMessage, read_datagram
from faultprint.probe.types import DeliverDiameter, DeliverSip

NO_TUNNEL: Final = b""
"""The context of a packet outside any tunnel."""
_MAX_DEPTH: Final = 6
_MAX_EXTENSIONS: Final = 16
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_EXTENSIONS: Final = frozenset({0, 43, 60, 135, 139, 140})

NOT_IP: Final = "not IP"
UNKNOWN_LINK: Final = "unknown link layer {}"
TRUNCATED: Final = "truncated IP or transport header"
OTHER_PROTOCOL: Final = "IP protocol other than UDP, TCP, SCTP or a tunnel"
ENCRYPTED: Final = "encrypted ESP"
ENCRYPTED_DTLS: Final = sctp.ENCRYPTED_DTLS
TOO_DEEP: Final = "tunnels nested too deeply"
NOT_SIP: Final = "datagram is not SIP"
KEEP_ALIVE: Final = "keep-alive"

# Module-level names: a lookup with every frame must be fast.
_ETHERNET: Final = link.ETHERNET
_UDP_PORTS: Final = tunnels.UDP_PORTS
_START_LINE = START_LINE.match
_OTHER_DATAGRAM = re.compile(rb"([\x14-\x1a]\xfe[\xfd\xff])|[\r\n\0]*+\Z").match
"""Group 1: a record of DTLS 1.0 or 1.2 (RFC 6347). Else a datagram without content."""
_SOURCES: Final = {port.to_bytes(2, "big"): tunnel for port, tunnel in tunnels.UDP_SOURCES.items()}
_ETHERNET_IPV4_UDP = struct.Struct("!12xHBxHHHxB12xHH").unpack_from
"""EtherType; version and header length, total length, fragment, protocol; destination port and length of the datagram."""
_IPV4 = struct.Struct("!BxHHHxB").unpack_from
_UDP = struct.Struct("!HHH").unpack_from


class Decoder:
    """Decodes frames in the order of capture. Calls `sip` or `diameter` for each message, and counts the rest in `skipped`.

    The methods hand on many plain arguments. A cursor object would be shorter, but too slow.
    """

    def __init__(self, sip: DeliverSip, diameter: DeliverDiameter, skipped: Counter[str]) -> None:
        self._sip = sip
        self._skipped = skipped
        self._fragments = Fragments(skipped)
        self._identification = 0
        """Of the present IP packet, the innermost one. 0 if it has none."""
        self._streams = TcpStreams(sip, diameter, skipped)
        self._associations = sctp.SctpAssociations(sip, diameter, skipped)

    def frame(self, timestamp: int, kind: int, data: bytes) -> None:
        """One frame of link layer `kind` (a LINKTYPE_ number)."""
        if kind == _ETHERNET and len(data) >= 42:
            ether, first, total, identification, offset, protocol, port, length = _ETHERNET_IPV4_UDP(data)
            if (
                ether == 0x0800
                and first == 0x45
                and protocol == 17
                and not offset & 0x3FFF
                and 28 <= length + 20 == total <= len(data) - 14
                and port not in _UDP_PORTS
            ):
                # True for nearly every frame. `_ipv4` and `_udp` would find the same, step by step.
                start = _START_LINE(data, 42, 34 + length)
                self._identification = identification
                if start is None:
                    self._datagram(timestamp, data, 42, 34 + length, data[26:38], NO_TUNNEL, 0)
                else:
                    message = SipMessage(data[42 : 34 + length], start)
                    message.origin = identification
                    self._sip(timestamp, data[26:38], message)
                return
        layer = link.LAYERS.get(kind)
        if layer is None:
            self._skipped[UNKNOWN_LINK.format(link.unknown_name(kind))] += 1
            return
        at = layer(data)
        if at == NO_IP:
            self._skipped[NOT_IP] += 1
        else:
            self._ip(timestamp, data, at, len(data), NO_TUNNEL, 0)

    def expire(self, now: int) -> None:
        """Drop fragments and stream gaps that have waited too long at `now` (µs)."""
        self._fragments.expire(now)
        self._streams.expire(now)
        self._associations.expire(now)

    def finish(self) -> None:
        """The capture has ended: read what the open streams still hold."""
        self._fragments.finish()
        self._streams.finish()
        self._associations.finish()

    def _ip(self, timestamp: int, data: bytes, at: int, end: int, context: bytes, depth: int) -> None:
        if end - at < 20:
            self._skipped[TRUNCATED] += 1
        elif data[at] >> 4 == 4:
            self._ipv4(timestamp, data, at, end, context, depth)
        elif data[at] >> 4 == 6 and end - at >= 40:
            self._ipv6(timestamp, data, at, end, context, depth)
        else:
            self._skipped[NOT_IP] += 1

    def _ipv4(self, timestamp: int, data: bytes, at: int, end: int, context: bytes, depth: int) -> None:
        first, total, identification, offset, protocol = _IPV4(data, at)
        self._identification = identification
        size = (first & 15) * 4
        # Segmentation offload leaves a total length of 0 in packets that are captured before they are divided.
        stop = at + total if size <= total <= end - at else end
        addresses = data[at + 12 : at + 20]
        at += size
        if size < 20 or at > stop:
            self._skipped[TRUNCATED] += 1
        elif offset & 0x3FFF:
            key = context + addresses + bytes((protocol,)) + identification.to_bytes(2, "big")
            payload = self._fragments.add(timestamp, key, (offset & 0x1FFF) * 8, bool(offset & 0x2000), data[at:stop])
            if payload is not None:
                self._transport(timestamp, protocol, payload, 0, len(payload), addresses, context, depth)
        elif protocol == 17:
            self._udp(timestamp, data, at, stop, addresses, context, depth)
        else:
            self._transport(timestamp, protocol, data, at, stop, addresses, context, depth)

    def _ipv6(self, timestamp: int, data: bytes, at: int, end: int, context: bytes, depth: int) -> None:
        self._identification = 0
        (length,) = struct.unpack_from("!H", data, at + 4)
        protocol = data[at + 6]
        stop = at + 40 + length if length and at + 40 + length <= end else end
        addresses = data[at + 8 : at + 40]
        at += 40
        for _ in range(_MAX_EXTENSIONS):
            if protocol not in _EXTENSIONS and protocol not in (_FRAGMENT, _AUTHENTICATION):
                self._transport(timestamp, protocol, data, at, stop, addresses, context, depth)
                return
            if at + 8 > stop:
                break
            next_header = data[at]
            if protocol == _FRAGMENT:
                (offset,) = struct.unpack_from("!H", data, at + 2)
                if offset & 0xFFF9:  # else an atomic fragment (RFC 6946), which is a whole packet
                    key = context + addresses + data[at + 4 : at + 8]
                    fragment = data[at + 8 : stop]
                    payload = self._fragments.add(timestamp, key, offset & 0xFFF8, bool(offset & 1), fragment)
                    if payload is None:
                        return
                    data, at, stop = payload, 0, len(payload)
                else:
                    at += 8
            else:
                at += (data[at + 1] + 2) * 4 if protocol == _AUTHENTICATION else (data[at + 1] + 1) * 8
            protocol = next_header
        self._skipped[TRUNCATED] += 1

    def _transport(
        self,
        timestamp: int,
        protocol: int,
        data: bytes,
        at: int,
        end: int,
        addresses: bytes,
        context: bytes,
        depth: int,
    ) -> None:
        if protocol == UDP:
            self._udp(timestamp, data, at, end, addresses, context, depth)
        elif protocol == TCP:
            if not self._streams.segment(timestamp, data, at, end, addresses, context):
                self._skipped[TRUNCATED] += 1
        elif protocol == sctp.PROTOCOL:
            if not self._associations.packet(timestamp, data, at, end, addresses, context):
                self._skipped[TRUNCATED] += 1
        elif protocol in tunnels.IP_IN_IP:
            self._tunnel(timestamp, data, TunnelPayload(at, end), addresses, context, depth)
        elif protocol in tunnels.IP_PROTOCOLS:
            inside = tunnels.IP_PROTOCOLS[protocol](data, at, end)
            if inside is None:
                self._skipped[ENCRYPTED if protocol == 50 else OTHER_PROTOCOL] += 1
            else:
                self._tunnel(timestamp, data, inside, addresses, context, depth)
        else:
            self._skipped[OTHER_PROTOCOL] += 1

    def _tunnel(
        self, timestamp: int, data: bytes, inside: TunnelPayload, addresses: bytes, context: bytes, depth: int
    ) -> None:
        """Decode the payload of a tunnel. The tunnel's ends join the context, so that copies of a stream do not mix."""
        if depth >= _MAX_DEPTH:
            self._skipped[TOO_DEEP] += 1
        elif inside.protocol is None:
            self._ip(timestamp, data, inside.at, inside.end, context + addresses, depth + 1)
        else:
            self._transport(
                timestamp, inside.protocol, data, inside.at, inside.end, addresses, context + b"|", depth + 1
            )

    def _udp(
        self, timestamp: int, data: bytes, at: int, end: int, addresses: bytes, context: bytes, depth: int
    ) -> None:
        if end - at < 8:
            self._skipped[TRUNCATED] += 1
            return
        _, port, length = _UDP(data, at)
        stop = at + length if 8 <= length <= end - at else end
        if port in _UDP_PORTS:
            inside = _UDP_PORTS[port](data, at + 8, stop)
            if inside is not None:
                self._tunnel(timestamp, data, inside, addresses, context, depth)
                return
        self._datagram(timestamp, data, at + 8, stop, addresses + data[at : at + 4], context, depth)

    def _datagram(self, timestamp: int, data: bytes, at: int, end: int, leg: bytes, context: bytes, depth: int) -> None:
        message = read_datagram(data, at, end)
        if message is not None:
            message.origin = self._identification
            self._sip(timestamp, leg, message)
            return
        tunnel = _SOURCES.get(leg[-4:-2])
        inside = tunnel(data, at, end) if tunnel is not None else None
        if inside is not None:
            self._tunnel(timestamp, data, inside, leg[:-4], context, depth)
            return
        self._skipped[other_datagram(data, at, end)] += 1


def other_datagram(data: bytes, at: int, end: int) -> str:
    """What a datagram without a SIP message is, for the count of skipped ones."""
    other = _OTHER_DATAGRAM(data, at, end)
    return NOT_SIP if other is None else ENCRYPTED_DTLS if other[1] else KEEP_ALIVE
