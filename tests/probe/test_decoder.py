"""From the frame to the message: link layers, IP, fragments, tunnels."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable

import pytest
from captures import PCSCF, T0, UE, ethernet, fragments, ip, request, tcp, udp
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.decode.fragments import MAX_HELD, Fragments
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.nodes import format_endpoint, split_leg

TEXT = request("OPTIONS")
PLAIN = udp(UE, PCSCF, TEXT)


def decode(frames: Iterable[tuple[int, bytes]], step: int = 1000) -> tuple[list[tuple[str, str, bytes]], Counter[str]]:
    """Messages with their ends, and what was skipped. Frames are (link, bytes), `step` µs apart."""
    found: list[tuple[str, str, bytes]] = []
    skipped: Counter[str] = Counter()

    def deliver(timestamp: int, leg: bytes, message: SipMessage) -> None:
        source, target = map(format_endpoint, split_leg(leg))
        found.append((source, target, message.text))

    decoder = Decoder(deliver, lambda *_: None, skipped)
    for number, (link, data) in enumerate(frames):
        decoder.frame(T0 + number * step, link, data)
        decoder.expire(T0 + number * step)
    decoder.finish()
    return found, skipped


EXPECTED = [(f"{UE}:5060", f"{PCSCF}:5060", TEXT)]
LINKS = {
    "Ethernet": (1, ethernet(PLAIN)),
    "802.1Q": (1, ethernet(PLAIN, 0x8100)),
    "QinQ": (1, ethernet(PLAIN, 0x88A8, 0x8100)),
    "old QinQ": (1, ethernet(PLAIN, 0x9100, 0x8100)),
    "Ethernet with a trailer": (1, ethernet(PLAIN) + bytes(10)),
    "MPLS": (1, bytes(12) + b"\x88\x47" + bytes([0, 1, 0, 64]) + bytes([0, 1, 1, 64]) + PLAIN),
    "PPPoE": (1, bytes(12) + b"\x88\x64" + bytes(6) + b"\x00\x21" + PLAIN),
    "SNAP": (1, bytes(12) + b"\x01\x00\xaa\xaa\x03\x00\x00\x00\x08\x00" + PLAIN),
    "cooked v1": (113, bytes(14) + b"\x08\x00" + PLAIN),
    "cooked v1 with a tag": (113, bytes(14) + b"\x81\x00\x00\x07\x08\x00" + PLAIN),
    "cooked v2": (276, b"\x08\x00" + bytes(18) + PLAIN),
    "raw": (101, PLAIN),
    "raw IPv4": (228, PLAIN),
    "BSD loopback": (0, b"\x02\x00\x00\x00" + PLAIN),
    "OpenBSD loopback": (108, b"\x00\x00\x00\x02" + PLAIN),
    "PPP": (9, b"\xff\x03\x00\x21" + PLAIN),
}


@pytest.mark.parametrize("name", LINKS)
def test_link_layers(name: str) -> None:
    assert decode([LINKS[name]]) == (EXPECTED, Counter())


def options(packet: bytes) -> bytes:
    """The same IPv4 packet with four bytes of options."""
    return b"\x46" + packet[1:2] + struct.pack("!H", len(packet) + 4) + packet[4:20] + b"\x01\x01\x01\x00" + packet[20:]


def ipv6(protocol: int, body: bytes) -> bytes:
    return ip("2001:db8::1", "2001:db8::2", protocol, body)


SIX = [("[2001:db8::1]:5060", "[2001:db8::2]:5060", TEXT)]
DATAGRAM = PLAIN[20:]


def test_ip_variants() -> None:
    assert decode([(101, options(PLAIN))])[0] == EXPECTED
    assert decode([(101, PLAIN[:2] + bytes(2) + PLAIN[4:])])[0] == EXPECTED  # segmentation offload
    assert decode([(229, ipv6(17, DATAGRAM))])[0] == SIX
    hop = bytes([60, 0]) + bytes(6)
    destination = bytes([51, 1]) + bytes(14)
    authentication = bytes([17, 4]) + bytes(22)
    assert decode([(101, ipv6(0, hop + destination + authentication + DATAGRAM))])[0] == SIX


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 1, 0, 2, 2]])
def test_fragments(order: list[int]) -> None:
    parts = [*fragments(PLAIN, 104)[:2], b""]
    whole = fragments(PLAIN, 104)
    assert len(whole) > 2
    middle = b"".join(part[20:] for part in whole[2:])
    parts[2] = ip(UE, PCSCF, 17, middle, identification=77, offset=208)
    assert decode([(1, ethernet(parts[number])) for number in order])[0] == EXPECTED


def test_ipv6_fragments() -> None:
    def part(offset: int, more: bool) -> bytes:
        stop = offset + 120 if more else None
        head = bytes([17, 0]) + struct.pack("!HI", offset | more, 99)
        return ipv6(44, head + DATAGRAM[offset:stop])

    assert decode([(101, part(120, False)), (101, part(0, True))])[0] == SIX
    assert decode([(101, ipv6(44, bytes([17, 0]) + bytes(6) + DATAGRAM))])[0] == SIX  # atomic (RFC 6946)


def test_fragments_are_bounded_and_forgotten() -> None:
    skipped: Counter[str] = Counter()
    held = Fragments(skipped)
    for number in range(5000):
        assert held.add(T0, number.to_bytes(4, "big"), 0, True, bytes(1400)) is None
    assert held.held <= MAX_HELD
    assert len(held) <= 256
    assert skipped["incomplete IP fragments"] >= 5000 - 256
    held.expire(T0 + 60_000_000)
    assert len(held) == 0
    assert held.held == 0


def gtp(packet: bytes, flags: int = 0x30, extra: bytes = b"") -> bytes:
    return udp(
        "172.16.0.1",
        "172.16.0.2",
        struct.pack("!BBHI", flags, 255, len(packet) + len(extra), 5) + extra + packet,
        (2152, 2152),
    )


def esp(check: int) -> bytes:
    padding = -(len(DATAGRAM) + 2) % 4
    return ip(
        UE,
        PCSCF,
        50,
        bytes([0, 0, 1, 1, 0, 0, 0, 9])
        + DATAGRAM
        + bytes(range(1, padding + 1))
        + bytes([padding, 17])
        + b"\xaa" * check,
    )


def gre(kind: int, body: bytes, flags: int = 0) -> bytes:
    words = (flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1)
    return ip("172.16.0.1", "172.16.0.2", 47, struct.pack("!HH", flags, kind) + bytes(4 * words) + body)


TUNNELS = {
    "IP in IP": ip("172.16.0.1", "172.16.0.2", 4, PLAIN),
    "IPv4 in IPv6": ipv6(4, PLAIN),
    "GTP-U": gtp(PLAIN),
    "GTP-U with a sequence": gtp(PLAIN, 0x32, bytes(4)),
    "GTP-U with an extension": gtp(PLAIN, 0x34, bytes([0, 0, 0, 0x85, 1, 0, 0, 0])),
    "GRE": gre(0x0800, PLAIN),
    "GRE with all fields": gre(0x0800, PLAIN, 0xB000),
    "Ethernet over GRE": gre(0x6558, ethernet(PLAIN)),
    "ERSPAN I": gre(0x88BE, ethernet(PLAIN)),
    "ERSPAN II": gre(0x88BE, bytes(8) + ethernet(PLAIN, 0x8100), 0x1000),
    "ERSPAN III": gre(0x22EB, bytes(12) + ethernet(PLAIN), 0x1000),
    "ERSPAN III with a subheader": gre(0x22EB, bytes(11) + b"\x01" + bytes(8) + ethernet(PLAIN), 0x1000),
    "VXLAN": udp("172.16.0.1", "172.16.0.2", b"\x08" + bytes(7) + ethernet(PLAIN), (999, 4789)),
    "ESP with HMAC-96": esp(12),
    "ESP with a longer check": esp(16),
    "ESP in UDP": udp(UE, PCSCF, esp(12)[20:], (4500, 4500)),
    "GTP-U in VLAN, ESP inside": gtp(esp(12)),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels(name: str) -> None:
    found, skipped = decode([(1, ethernet(TUNNELS[name]))])
    assert found == EXPECTED
    assert not skipped


def test_fragments_of_a_tunnel() -> None:
    assert decode([(101, part) for part in fragments(gtp(PLAIN), 200)])[0] == EXPECTED


def test_a_stream_plain_and_in_a_tunnel_gives_each_message_twice() -> None:
    halves = [tcp(UE, PCSCF, TEXT[:50], 1), tcp(UE, PCSCF, TEXT[50:], 51)]
    frames = [(101, packet) for half in halves for packet in (gtp(half), half)]
    assert [text for _, _, text in decode(frames)[0]] == [TEXT, TEXT]


def test_nested_without_end() -> None:
    packet = PLAIN
    for _ in range(20):
        packet = ip("172.16.0.1", "172.16.0.2", 4, packet)
    assert decode([(101, packet)])[1] == {"tunnels nested too deeply": 1}


def test_what_is_skipped_is_counted() -> None:
    encrypted = ip(UE, PCSCF, 50, bytes(range(100, 200)))
    frames = [
        (1, bytes(12) + b"\x08\x06" + bytes(28)),
        (147, b"x"),
        (101, ip(UE, PCSCF, 89, bytes(20))),
        (101, encrypted),
        (101, PLAIN[:15]),
    ]
    assert decode(frames)[1] == {
        "not IP": 1,
        "unknown link layer 147": 1,
        "IP protocol other than UDP, TCP, SCTP or a tunnel": 1,
        "encrypted ESP": 1,
        "truncated IP or transport header": 1,
    }


SEEDS = [data for _, data in LINKS.values()] + [ethernet(packet) for packet in TUNNELS.values()]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=5),
    st.integers(0, 400),
    st.sampled_from([0, 1, 9, 101, 113, 276]),
)
def test_no_frame_stops_the_decoder(data: bytes, changes: list[tuple[int, int]], cut: int, link: int) -> None:
    frame = bytearray(data)
    for at, value in changes:
        frame[at % len(frame)] = value
    decode([(link, bytes(frame[:cut] if cut % 2 else frame))])


@given(st.binary(max_size=200), st.sampled_from([0, 1, 9, 101, 113, 276]))
def test_random_frames(data: bytes, link: int) -> None:
    decode([(link, data), (link, b"\x45" + data), (1, bytes(12) + b"\x08\x00\x45" + data)])
