"""Streams that are no SIP or Diameter, WebSockets, SIP over SCTP, and what TCP does at its edges."""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from itertools import pairwise

import pytest
from captures import GX, PCSCF, T0, UE, avp, chunk, diameter, request, response, sctp, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.decode.inflation import MAX_CONTEXTS, MAX_TEXT, Inflaters
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage

INVITE = request("INVITE", body="v=0\r\no=- 1 1 IN IP4 10.8.0.1\r\n")
OPTIONS = request("OPTIONS")
OK = response(200, OPTIONS)
CCR = diameter(272, avp(416, 1), application=GX)
SYN = 2
SECOND = 1_000_000


def decode(packets: list[bytes], step: int = 1000) -> tuple[list[bytes], dict[str, int]]:
    """The texts of all messages, of both kinds, and what was skipped."""
    found: list[bytes] = []
    skipped: Counter[str] = Counter()

    def deliver(timestamp: int, leg: bytes, message: SipMessage | DiameterMessage) -> None:
        found.append(message.text)

    decoder = Decoder(deliver, deliver, skipped)
    for number, packet in enumerate(packets):
        decoder.frame(T0 + number * step, 101, packet)
        decoder.expire(T0 + number * step)
    decoder.finish()
    return found, dict(skipped)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % len(stream) for place in places)})
    return [tcp(UE, PCSCF, stream[begin:end], 1000 + begin) for begin, end in pairwise(edges)]


def each(size: int, stream: bytes) -> list[bytes]:
    return cut(stream, list(range(0, len(stream), size)))


GET = b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(CCR + OPTIONS)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CCR + OPTIONS)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OTHERS = {
    "HTTP answer": ANSWER + CCR + OPTIONS,
    "HTTP request": POST + CCR + OPTIONS,
    "HTTP answer of unknown length": CHUNKED + CCR + OPTIONS,
    "HTTP answers": b"HTTP/1.1 304 Not Modified\r\n\r\n" + ANSWER + CCR + OPTIONS + CHUNKED + CCR,
    "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + CCR + OPTIONS,
    "RTSP": b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n" + CCR + OPTIONS,
    "RTSP request": b"DESCRIBE rtsp://example.org/x RTSP/1.0\r\nCSeq: 1\r\n\r\n" + CCR,
    "MSRP": b"MSRP a786 SEND\r\nTo-Path: msrp://example.org\r\n\r\n" + CCR,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n" + CCR + OPTIONS,
}


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=20)
@given(places=st.lists(st.integers(0, 3000), max_size=12))
def test_what_began_as_another_protocol_holds_no_message(name: str, places: list[int]) -> None:
    assert decode(cut(OTHERS[name], places)) == ([], {})


def test_what_began_as_another_protocol_holds_none_after_a_gap() -> None:
    packets = [tcp(UE, PCSCF, CHUNKED, 1000), tcp(UE, PCSCF, CCR + OPTIONS, 9000)]
    assert decode(packets, 4 * SECOND)[0] == []


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3000), max_size=12))
def test_tls_is_counted_for_each_direction(places: list[int]) -> None:
    records = b"\x16\x03\x01\x00\x40" + bytes(64) + b"\x17\x03\x03\x01\x00" + CCR + OPTIONS
    assert decode(cut(records, places)) == ([], {"encrypted TLS": 1})
    middle = [tcp(UE, PCSCF, b"\xf0" * 50, 1000), tcp(UE, PCSCF, records[69:], 1050)]
    assert decode(middle) == ([], {"encrypted TLS": 1})


def test_the_avps_fill_a_message_that_is_found_in_other_bytes() -> None:
    noise = b"\xff\xa5\x00\xff" * 100
    chance = bytes.fromhex("0100002c000001180000000000000007000000600000000b0000000c00000000") + noise[:12]
    for size in (7, 100, 4000):
        assert decode(each(size, noise + chance + noise))[0] == []
        assert decode(each(size, noise + CCR + CCR))[0] == [CCR, CCR]
        assert decode(each(size, noise + chance + noise + CCR + CCR))[0] == [CCR, CCR]


@pytest.mark.parametrize("first", [b"", b"\x01", b"\x81", b"\xc1", b"INVITE"])
def test_a_megabyte_of_chance_holds_no_message(first: bytes) -> None:
    stream = first + random.Random(len(first)).randbytes(1 << 20)
    assert decode(each(1400, stream))[0] == []


@pytest.mark.parametrize(
    "unit",
    [CCR[:28], b"\x81", b"\xc1\xff", b"SIP/2.0", b">INVITE sip:", b"\n", CCR[:20] + CCR[20:28] * 40, b"\x16\x03"],
)
def test_hostile_streams_take_bounded_work(unit: bytes) -> None:
    decode(each(16_000, b"\xff" + unit * (100_000 // len(unit))))
    decode(each(50, b"\xff" + unit * (30_000 // len(unit))))


def frame(payload: bytes, *, first: int = 0x81, mask: bytes = b"") -> bytes:
    size, flag = len(payload), 0x80 if mask else 0
    head = bytes([first, flag | size]) if size < 126 else bytes([first, flag | 126]) + struct.pack("!H", size)
    return head + mask + bytes(byte ^ (mask[at % 4] if mask else 0) for at, byte in enumerate(payload))


class Deflater:
    """The sender of compressed messages, with or without its context."""

    def __init__(self, *, takeover: bool = True) -> None:
        self._takeover = takeover
        self._stream = zlib.compressobj(wbits=-15)

    def frame(self, text: bytes, mask: bytes = b"") -> bytes:
        if not self._takeover:
            self._stream = zlib.compressobj(wbits=-15)
        data = self._stream.compress(text) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return frame(data[:-4], first=0xC1, mask=mask)


MASK = b"\x0a\x91\x00\xfe"
UPGRADE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"


@given(st.lists(st.integers(0, 3000), max_size=12), st.sampled_from([b"", MASK]), st.integers(1, 700))
def test_a_websocket_joined_amid_finds_its_step(places: list[int], mask: bytes, missed: int) -> None:
    first = frame(INVITE, mask=mask)
    parts = frame(INVITE[:90], first=0x01, mask=mask) + frame(INVITE[90:], first=0x80, mask=mask)
    stream = first[missed % (len(first) - 1) + 1 :] + frame(OPTIONS, mask=mask) + parts + frame(OK, mask=mask)
    assert decode(cut(stream, places))[0][-3:] == [OPTIONS, INVITE, OK]


def test_a_websocket_finds_its_step_after_a_gap_and_after_a_refused_handshake() -> None:
    frames = [frame(text, mask=MASK) for text in (INVITE, OPTIONS, OK)]
    stream = UPGRADE + b"".join(frames)
    lost = len(UPGRADE) + 100
    packets = [tcp(UE, PCSCF, stream[:lost], 1000), tcp(UE, PCSCF, stream[lost + 50 :], 1050 + lost)]
    assert decode(packets, 4 * SECOND)[0] == [OPTIONS, OK]
    assert decode(each(90, UPGRADE + UPGRADE + b"".join(frames)))[0] == [INVITE, OPTIONS, OK]


@given(st.lists(st.integers(0, 3000), max_size=12), st.booleans(), st.sampled_from([b"", MASK]))
def test_compressed_messages_are_inflated(places: list[int], takeover: bool, mask: bytes) -> None:
    deflater = Deflater(takeover=takeover)
    stream = UPGRADE + b"".join(deflater.frame(text, mask) for text in (INVITE, OPTIONS, OK, INVITE))
    assert decode(cut(stream, places)) == ([INVITE, OPTIONS, OK, INVITE], {})


def test_compressed_messages_of_a_stream_that_was_joined_amid() -> None:
    plain = Deflater(takeover=False)
    frames = [plain.frame(text, MASK) for text in (INVITE, OPTIONS, OK)]
    packets = [tcp(UE, PCSCF, part, 1000 + at * 5000) for at, part in enumerate(frames)]
    assert decode(packets, 4 * SECOND)[0] == [INVITE, OPTIONS, OK]
    context = Deflater()
    context.frame(INVITE)
    stream = context.frame(OPTIONS, MASK)
    found, skipped = decode([tcp(UE, PCSCF, stream, 1000)])
    assert (found, skipped) == ([], {"compressed WebSocket message without the start of its stream": 1})


def test_inflation_is_bounded() -> None:
    bomb = Deflater().frame(bytes(MAX_TEXT * 40))
    reason = {"compressed WebSocket message too long": 1}
    assert decode([tcp(UE, PCSCF, UPGRADE + bomb, 1000)]) == ([], reason)
    found, skipped = decode([tcp(UE, PCSCF, UPGRADE + bomb + Deflater().frame(OPTIONS), 1000)])
    assert (found, skipped) == ([OPTIONS], reason)
    inflaters = Inflaters(Counter())
    for _ in range(3 * MAX_CONTEXTS):
        assert inflaters.inflate(inflaters.open(), Deflater().frame(b"x" * 90)[2:]) == b"x" * 90
    assert len(inflaters) <= MAX_CONTEXTS


@given(st.binary(max_size=300), st.sampled_from([b"\xc1", b"\x41", b"\x81", UPGRADE, UPGRADE + b"\xc1\x20"]))
def test_no_websocket_stops_the_framer(data: bytes, start: bytes) -> None:
    decode(each(40, start + data))


@pytest.mark.parametrize("port", [5060, 5061, 40001])
@given(size=st.integers(20, 900), rng=st.randoms(use_true_random=False), flags=st.sampled_from([0, 4]))
@settings(max_examples=20)
def test_sip_over_sctp(port: int, size: int, rng: random.Random, flags: int) -> None:
    """Fragments in any order, on several streams, ordered or not."""
    wire: list[bytes] = []
    for stream, text in enumerate((INVITE, OPTIONS, OK)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        for at, piece in enumerate(pieces):
            ends = (2 if at == 0 else 0) | (1 if at == len(pieces) - 1 else 0)
            part = chunk(7 + len(wire), piece, flags=flags | ends, stream=stream, payload=0)
            wire.append(sctp(UE, PCSCF, part, ports=(40000, port)))
    rest = wire[1:]
    rng.shuffle(rest)
    found, skipped = decode(wire[:1] + rest)
    assert sorted(found) == sorted([INVITE, OPTIONS, OK])
    assert not skipped


def test_other_bytes_in_sctp_are_counted() -> None:
    parts = [
        chunk(1, b"\x99" * 40, payload=0),
        chunk(2, b"\x16\xfe\xfd" + bytes(30), payload=47),
        chunk(3, CCR, payload=0),
    ]
    assert decode([sctp(UE, PCSCF, *parts)]) == (
        [CCR],
        {"SCTP message is neither SIP nor Diameter": 1, "encrypted DTLS": 1},
    )


def test_a_keep_alive_or_probe_harms_no_stream() -> None:
    alive = tcp(UE, PCSCF, b"\0", 999)
    assert decode([alive, tcp(UE, PCSCF, INVITE, 1000), alive])[0] == [INVITE]
    at = 1000 + len(INVITE)
    idle = tcp(UE, PCSCF, b"\0", at - 1)
    probe = tcp(UE, PCSCF, OPTIONS[:1], at)
    assert decode([tcp(UE, PCSCF, INVITE, 1000), idle, probe, tcp(UE, PCSCF, OPTIONS, at)])[0] == [INVITE, OPTIONS]
    assert decode([tcp(UE, PCSCF, b"", 1000, flags=0x10), tcp(UE, PCSCF, INVITE, 1000)])[0] == [INVITE]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 900)), max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_retransmissions_of_any_length_and_the_wrap_of_numbers(again: list[tuple[int, int]], start: int) -> None:
    stream = INVITE + OPTIONS + OK
    parts = [(0, 300), *again, (0, len(stream)), *again]
    packets = [tcp(UE, PCSCF, b"", start - 1, flags=SYN)]
    packets += [tcp(UE, PCSCF, stream[at : at + size], start + at) for at, size in parts if stream[at : at + size]]
    assert decode(packets)[0] == [INVITE, OPTIONS, OK]


def test_ports_are_used_again() -> None:
    packets = []
    for start in (1000, 500, 4_000_000_000, 1_000_500):
        packets += [tcp(UE, PCSCF, b"", start - 1, flags=SYN), tcp(UE, PCSCF, OPTIONS, start)]
    packets += [tcp(UE, PCSCF, b"", 7, flags=4), tcp(UE, PCSCF, INVITE, 900)]
    assert decode(packets)[0] == [OPTIONS] * 4 + [INVITE]


def test_a_message_right_after_a_body_without_line_end() -> None:
    notify = request("NOTIFY", body="<presence/>")
    assert decode([tcp(UE, PCSCF, notify[40:] + OPTIONS + OK, 1000)])[0] == [OPTIONS, OK]
    assert decode([tcp(UE, PCSCF, notify[40:] + OK + OPTIONS, 1000)])[0] == [OK, OPTIONS]


def test_segments_out_of_order_where_the_capture_begins() -> None:
    first, second, third = (
        tcp(UE, PCSCF, text, at)
        for text, at in ((INVITE, 1000), (OPTIONS, 1000 + len(INVITE)), (OK, 1000 + len(INVITE + OPTIONS)))
    )
    for order in ([second, first, third], [third, second, first], [second, third, first, first, second]):
        assert sorted(decode(order)[0]) == sorted([INVITE, OPTIONS, OK])
    assert decode([tcp(UE, PCSCF, b"", 1000 + len(INVITE) - 1, flags=SYN), second, first])[0] == [OPTIONS]
