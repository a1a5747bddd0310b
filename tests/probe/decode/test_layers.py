"""Tags, link layers and tunnels: one frame for each combination, any stack of them, and random frames."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable

import pytest
from captures import PCSCF, T0, UE, ethernet, ip, request, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.messages.sip import SipMessage

TEXT = request("OPTIONS")
PLAIN = udp(UE, PCSCF, TEXT)
FRAME = ethernet(PLAIN)
MAC = bytes.fromhex("020000000002020000000001")
OUTER = ("172.16.0.1", "172.16.0.2")


def decode(link: int, *frames: bytes) -> tuple[list[bytes], dict[str, int]]:
    found: list[bytes] = []
    skipped: Counter[str] = Counter()

    def deliver(timestamp: int, leg: bytes, message: SipMessage) -> None:
        found.append(message.text)

    decoder = Decoder(deliver, lambda *_: None, skipped)
    for number, data in enumerate(frames):
        decoder.frame(T0 + number, link, data)
    decoder.finish()
    return found, dict(skipped)


def label(*, last: bool) -> bytes:
    return bytes([0, 1, int(last), 64])


def ppp(packet: bytes) -> bytes:
    return b"\xff\x03\x00\x21" + packet


TAGGED: dict[str, tuple[int, bytes]] = {
    "none": (0x0800, PLAIN),
    "802.1Q": (0x8100, b"\x00\x64\x08\x00" + PLAIN),
    "QinQ": (0x88A8, b"\x00\x64\x81\x00\x00\x65\x08\x00" + PLAIN),
    "old QinQ": (0x9100, b"\x00\x64\x91\x00\x00\x65\x81\x00\x00\x66\x08\x00" + PLAIN),
    "VN-Tag": (0x8926, b"\x00\x0a\x00\x0b\x08\x00" + PLAIN),
    "VN-Tag, 802.1Q": (0x8926, b"\x00\x0a\x00\x0b\x81\x00\x00\x64\x08\x00" + PLAIN),
    "E-TAG": (0x893F, b"\x00\x0a\x00\x0b\x00\x00\x08\x00" + PLAIN),
    "E-TAG, 802.1Q": (0x893F, b"\x00\x0a\x00\x0b\x00\x00\x81\x00\x00\x64\x08\x00" + PLAIN),
    "R-TAG": (0xF1C1, bytes(4) + b"\x08\x00" + PLAIN),
    "security group": (0x8909, b"\x01\x01\x00\x01\x00\x05\x08\x00" + PLAIN),
    "I-TAG": (0x88E7, bytes(4) + FRAME),
    "MACsec without encryption": (0x88E5, b"\x00\x00\x00\x00\x00\x01\x08\x00" + PLAIN),
    "MACsec with its channel": (0x88E5, b"\x20\x00\x00\x00\x00\x01" + bytes(8) + b"\x08\x00" + PLAIN),
    "MPLS": (0x8847, label(last=True) + PLAIN),
    "MPLS, three labels": (0x8847, label(last=False) * 2 + label(last=True) + PLAIN),
    "MPLS multicast": (0x8848, label(last=True) + PLAIN),
    "pseudowire": (0x8847, label(last=True) + MAC + FRAME[12:]),
    "pseudowire with control word": (0x8847, label(last=True) + bytes(4) + MAC + FRAME[12:]),
    "pseudowire, first address byte 0": (0x8847, label(last=True) + bytes(1) + MAC[1:] + FRAME[12:]),
    "pseudowire, first address byte 0x40": (0x8847, label(last=True) + b"\x40" + MAC[1:] + FRAME[12:]),
    "802.1Q in a pseudowire": (0x8847, label(last=True) + bytes(4) + MAC + b"\x81\x00\x00\x07\x08\x00" + PLAIN),
    "802.1Q, MPLS": (0x8100, b"\x00\x64\x88\x47" + label(last=True) + PLAIN),
    "PPPoE": (0x8864, b"\x11\x00\x00\x01\x00\x00\x00\x21" + PLAIN),
    "802.1Q, PPPoE": (0x8100, b"\x00\x64\x88\x64\x11\x00\x00\x01\x00\x00\x00\x21" + PLAIN),
    "PPPoE with MPLS": (0x8864, bytes(6) + b"\x02\x81" + label(last=True) + PLAIN),
    "service header": (0x894F, b"\x00\x02\x01\x01" + bytes(4) + PLAIN),
    "LLC and SNAP": (0x0100, b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + PLAIN),
}
CARRIERS: dict[str, tuple[int, Callable[[int, bytes], bytes]]] = {
    "Ethernet": (1, lambda kind, body: MAC + struct.pack("!H", kind) + body),
    "cooked v1": (113, lambda kind, body: bytes(14) + struct.pack("!H", kind) + body),
    "cooked v2": (276, lambda kind, body: struct.pack("!H", kind) + bytes(18) + body),
    "Cisco HDLC": (104, lambda kind, body: b"\x0f\x00" + struct.pack("!H", kind) + body),
    "Cisco HDLC on a serial line": (50, lambda kind, body: b"\x8f\x00" + struct.pack("!H", kind) + body),
    "Cisco HDLC with direction": (205, lambda kind, body: b"\x01\x0f\x00" + struct.pack("!H", kind) + body),
    "preamble": (274, lambda kind, body: b"\x55" * 7 + b"\xd5" + MAC + struct.pack("!H", kind) + body),
    "ATM": (11, lambda kind, body: b"\xaa\xaa\x03\x00\x00\x00" + struct.pack("!H", kind) + body),
    "frame relay of Cisco": (107, lambda kind, body: b"\x18\x41" + struct.pack("!H", kind) + body),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_each_tag_at_each_link_layer(carrier: str) -> None:
    link, frame = CARRIERS[carrier]
    assert {name: decode(link, frame(*tagged)) for name, tagged in TAGGED.items()} == dict.fromkeys(
        TAGGED, ([TEXT], {})
    )


LINKS = {
    "PPP": (9, ppp(PLAIN)),
    "PPP, one byte of protocol": (9, b"\x21" + PLAIN),
    "PPP on a serial line": (50, ppp(PLAIN)),
    "PPP with direction": (204, b"\x01" + ppp(PLAIN)),
    "PPP with direction, short": (204, b"\x00\x00\x21" + PLAIN),
    "PPP daemon": (166, b"\x00\x03\x00\x21" + PLAIN),
    "PPPoE": (51, b"\x11\x00\x00\x01\x00\x00\x00\x21" + PLAIN),
    "MPLS": (219, label(last=True) + PLAIN),
    "frame relay": (107, b"\x18\x41\x03\xcc" + PLAIN),
    "frame relay with SNAP": (107, b"\x18\x41\x03\x00\x80\x00\x00\x00\x08\x00" + PLAIN),
    "decrypted IPsec": (109, bytes(12) + PLAIN),
    "firewall log": (117, b"\x3d" + bytes(63) + PLAIN),
    "netfilter log": (239, b"\x02\x00\x00\x00" + b"\x05\x00\x0a\x00a\0\0\0" + b"\xff\x00\x09\x00" + PLAIN),
}


@pytest.mark.parametrize("name", LINKS)
def test_other_link_layers(name: str) -> None:
    assert decode(*LINKS[name]) == ([TEXT], {})


def test_a_link_layer_that_cannot_be_read_is_named() -> None:
    assert decode(127, bytes(60))[1] == {"unknown link layer 127 (IEEE 802.11 with radiotap header)": 1}
    assert decode(299, bytes(60))[1] == {"unknown link layer 299": 1}


def gre(kind: int, body: bytes, flags: int = 0) -> bytes:
    words = (flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1) + (flags >> 7 & 1)
    return ip(*OUTER, 47, struct.pack("!HH", flags, kind) + bytes(4 * words) + body)


def outer(port: int, body: bytes, source: int = 999) -> bytes:
    return udp(*OUTER, body, (source, port))


def esp(packet: bytes) -> bytes:
    """ESP without encryption in tunnel mode."""
    padding = -(len(packet) + 2) % 4
    trailer = bytes(range(1, padding + 1)) + bytes([padding, 4])
    return ip(*OUTER, 50, b"\0\0\1\1\0\0\0\x09" + packet + trailer + b"\xaa" * 12)


def gtp(body: bytes) -> bytes:
    return struct.pack("!BBHI", 0x30, 255, len(body), 5) + body


TUNNELS: dict[str, Callable[[bytes], bytes]] = {
    "IP in IP": lambda packet: ip(*OUTER, 4, packet),
    "IPv4 in IPv6": lambda packet: ip("2001:db8::1", "2001:db8::2", 4, packet),
    "AH": lambda packet: ip(*OUTER, 51, b"\x04\x04" + bytes(22) + packet),
    "ESP, tunnel mode": esp,
    "GRE": lambda packet: gre(0x0800, packet, 0xB000),
    "GRE with MPLS": lambda packet: gre(0x8847, label(last=True) + packet),
    "GRE with a tag": lambda packet: gre(0x6558, ethernet(packet, 0x8926)[:14] + bytes(4) + ethernet(packet)[12:]),
    "GRE with PPP": lambda packet: gre(0x880B, ppp(packet)),
    "GRE v1": lambda packet: gre(0x880B, ppp(packet), 0x3001),
    "GRE v1 with acknowledgement": lambda packet: gre(0x880B, b"\x00\x21" + packet, 0x3081),
    "GRE v1, only acknowledgement, short protocol": lambda packet: gre(0x880B, b"\x21" + packet, 0x2081),
    "ERSPAN I": lambda packet: gre(0x88BE, ethernet(packet)),
    "ERSPAN II": lambda packet: gre(0x88BE, bytes(8) + ethernet(packet, 0x8100), 0x1000),
    "ERSPAN III": lambda packet: gre(0x22EB, bytes(12) + ethernet(packet), 0x1000),
    "ERSPAN III with IP": lambda packet: gre(0x22EB, bytes(10) + b"\x08\x00" + packet, 0x1000),
    "EtherIP": lambda packet: ip(*OUTER, 97, b"\x30\x00" + ethernet(packet)),
    "MPLS in IP": lambda packet: ip(*OUTER, 137, label(last=True) + packet),
    "MPLS in UDP": lambda packet: outer(6635, label(last=True) + packet),
    "GRE in UDP": lambda packet: outer(4754, b"\x00\x00\x08\x00" + packet),
    "GTP-U": lambda packet: outer(2152, gtp(packet)),
    "GTP-U with Ethernet": lambda packet: outer(2152, gtp(ethernet(packet))),
    "GTP-U to another port": lambda packet: outer(40000, gtp(packet), 2152),
    "VXLAN": lambda packet: outer(4789, b"\x08" + bytes(7) + ethernet(packet, 0x8100)),
    "VXLAN with a group": lambda packet: outer(4789, b"\x88" + bytes(7) + ethernet(packet)),
    "VXLAN of Linux": lambda packet: outer(8472, b"\x08" + bytes(7) + ethernet(packet)),
    "VXLAN-GPE with IP": lambda packet: outer(4790, b"\x0c\x00\x00\x01" + bytes(4) + packet),
    "VXLAN-GPE with a service header": lambda packet: outer(
        4790, b"\x0c\x00\x00\x04" + bytes(4) + b"\x00\x02\x01\x03" + bytes(4) + ethernet(packet)
    ),
    "GENEVE": lambda packet: outer(6081, b"\x00\x00\x65\x58" + bytes(4) + ethernet(packet)),
    "GENEVE with options": lambda packet: outer(6081, b"\x02\x00\x08\x00" + bytes(12) + packet),
    "L2TP 2": lambda packet: outer(1701, b"\x00\x02" + bytes(4) + ppp(packet)),
    "L2TP 2 with all fields": lambda packet: outer(
        1701, b"\x4a\x02\x00\x00" + bytes(8) + b"\x00\x02\x00\x00" + ppp(packet)
    ),
    "L2TP 3 in UDP": lambda packet: outer(1701, b"\x00\x03\x00\x00\x00\x00\x00\x01" + ethernet(packet)),
    "L2TP 3 in IP": lambda packet: ip(*OUTER, 115, b"\x00\x00\x00\x01" + ethernet(packet)),
    "L2TP 3 with cookie and sublayer": lambda packet: ip(
        *OUTER, 115, b"\x00\x00\x00\x01" + b"\x77" * 8 + b"\x40\x00\x00\x00" + ethernet(packet)
    ),
    "TZSP": lambda packet: outer(37008, b"\x01\x00\x00\x01\x00\x0a\x01\x05\x01" + ethernet(packet)),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels(name: str) -> None:
    packet = TUNNELS[name](PLAIN)
    for link, tagged in ((101, packet), (1, ethernet(packet, 0x8100)), (113, bytes(14) + b"\x08\x00" + packet)):
        if packet[0] >> 4 == 4:
            assert decode(link, tagged) == ([TEXT], {})
    assert decode(101, packet) == ([TEXT], {})


NAMES_OF_TUNNELS = sorted(name for name in TUNNELS if name != "IPv4 in IPv6")


@given(
    st.lists(st.sampled_from(NAMES_OF_TUNNELS), max_size=3),
    st.lists(st.sampled_from([0x8100, 0x88A8, 0x9100, 0x9200]), max_size=5),
    st.booleans(),
)
def test_any_stack_of_tags_and_tunnels(names: list[str], tags: list[int], cooked: bool) -> None:
    packet = PLAIN
    for name in names:
        packet = TUNNELS[name](packet)
    frame = ethernet(packet, *tags)
    link, data = (276, frame[12:14] + bytes(18) + frame[14:]) if cooked else (1, frame)
    assert decode(link, data) == ([TEXT], {})


SEEDS = [
    *((link, frame(*tagged)) for link, frame in CARRIERS.values() for tagged in TAGGED.values()),
    *LINKS.values(),
    *((101, tunnel(PLAIN)) for tunnel in TUNNELS.values()),
]


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_damaged_frames_end_in_a_message_or_a_reason(seed: tuple[int, bytes], chance: random.Random) -> None:
    link, whole = seed
    data = bytearray(whole[: chance.randint(0, len(whole))] if chance.random() < 0.5 else whole)
    for _ in range(chance.randint(0, 6)):
        if data:
            data[chance.randrange(min(len(data), 90))] = chance.randrange(256)
    decode(link, bytes(data))


@pytest.mark.parametrize(
    "filler", [b"\0", b"\x88\x47", b"\x45\x04", b"\x81\x00", b"\x89\x4f", b"\xaa\xaa\x03\0\0\0", b"\x41"]
)
@pytest.mark.parametrize("link", [1, 9, 11, 107, 113, 219, 239, 276])
def test_a_frame_of_tags_ends(link: int, filler: bytes) -> None:
    """Without a bound on pseudowires inside each other, this would take for ever."""
    frames = [filler * (60_000 // len(filler)), b"\x88\x47" * 7 + b"\x01\x00" * 30_000]
    found, skipped = decode(link, *frames)
    assert not found
    assert sum(skipped.values()) == 2


def test_short_esp_is_no_error() -> None:
    for size in range(40):
        for trailer in (b"\x00\x06", b"\x00\x11", b"\x00\x04", b"\x00\x29"):
            assert decode(101, ip(UE, PCSCF, 50, b"\x55" * size + trailer))[0] == []


def test_encrypted_datagrams_are_counted() -> None:
    record = b"\x17\xfe\xfd" + bytes(40)
    assert decode(101, udp(UE, PCSCF, record))[1] == {"encrypted DTLS": 1}
