"""SIP over TCP and WebSocket: however the bytes are cut, the messages are the same."""

from __future__ import annotations

import random
import struct
from collections import Counter
from itertools import pairwise

import pytest
from captures import PCSCF, T0, UE, ethernet, request, response, tcp, udp
from hypothesis import given
from hypothesis import strategies as st
from test_decoder import decode

from faultprint.probe.decode.framing import MAX_MESSAGE, Framer
from faultprint.probe.decode.inflation import Inflaters
from faultprint.probe.decode.tcp import MAX_HELD, MAX_STREAMS, TcpStreams

FIRST = request("INVITE", to="bob", body="v=0\r\no=- 1 1 IN IP4 10.8.0.1\r\n")
SECOND = request("ACK", to="bob", tag="t1")
THIRD = request("NOTIFY", body="SIP/2.0 200 OK\r\n", headers=["Content-Type: message/sipfrag"])
STREAM = FIRST + b"\r\n\r\n" + SECOND + THIRD
WANTED = [FIRST, SECOND, THIRD]


def texts(segments: list[tuple[int, bytes]], start: int = 1000, step: int = 1000, flags: int = 0x18) -> list[bytes]:
    """Messages in segments given as (offset in the stream, bytes)."""
    frames = [(1, ethernet(tcp(UE, PCSCF, data, start + at, flags=flags))) for at, data in segments]
    return [text for _, _, text in decode(frames, step)[0]]


def cut(stream: bytes, places: list[int]) -> list[tuple[int, bytes]]:
    edges = sorted({0, len(stream), *(place % len(stream) for place in places)})
    return [(begin, stream[begin:end]) for begin, end in pairwise(edges)]


@given(st.lists(st.integers(0, 5000), max_size=30))
def test_any_segmentation_gives_the_same_messages(places: list[int]) -> None:
    assert texts(cut(STREAM, places)) == WANTED


def test_single_bytes() -> None:
    assert texts([(at, STREAM[at : at + 1]) for at in range(len(STREAM))]) == WANTED


@given(
    st.lists(st.integers(0, 5000), min_size=3, max_size=12),
    st.randoms(use_true_random=False),
    st.integers(0, 2**32 - 1),
)
def test_any_order_and_repetition_after_the_first_segment(places: list[int], rng: random.Random, start: int) -> None:
    segments = cut(STREAM, places)
    rest = segments[1:] + rng.sample(segments, len(segments) // 2)
    rng.shuffle(rest)
    assert texts(segments[:1] + rest, start) == WANTED


def test_the_handshake_tells_where_the_stream_begins() -> None:
    segments = cut(STREAM, [200, 400])
    frames = [(1, ethernet(tcp(UE, PCSCF, b"", 999, flags=2)))]
    frames += [(1, ethernet(tcp(UE, PCSCF, data, 1000 + at))) for at, data in reversed(segments)]
    assert [text for _, _, text in decode(frames)[0]] == WANTED


def test_overlapping_retransmissions() -> None:
    assert texts([(0, STREAM[:300]), (100, STREAM[100:500]), (0, STREAM[:600]), (450, STREAM[450:])]) == WANTED


def test_a_lost_segment_is_given_up_and_the_stream_goes_on() -> None:
    at = STREAM.index(b"ACK sip")
    assert texts([(0, STREAM[:100]), (at, STREAM[at:])], step=4_000_000) == WANTED[1:]
    late = len(FIRST) - 20
    assert texts([(0, FIRST[:100]), (late, STREAM[late:])], step=4_000_000) == WANTED[1:]


def test_the_time_of_a_second_gap_does_not_begin_with_the_first() -> None:
    parts = cut(STREAM, [100, 200, 300, 400])
    order = [parts[0], parts[2], parts[4], parts[1], None, parts[3]]
    frames = [
        (1, ethernet(udp(UE, PCSCF, b"x") if part is None else tcp(UE, PCSCF, part[1], part[0]))) for part in order
    ]
    # When the datagram lets the timers run, the second gap is 2.8 s old, and the first would be 4.2 s old.
    messages, skipped = decode(frames, step=1_400_000)
    assert [text for _, _, text in messages] == WANTED
    assert "missing TCP segments" not in skipped


def test_a_stream_whose_start_was_not_captured() -> None:
    assert texts([(0, FIRST[150:] + SECOND), (5000, THIRD)], step=4_000_000) == [SECOND, THIRD]


def test_a_new_connection_on_the_same_ports() -> None:
    frames = [(1, ethernet(tcp(UE, PCSCF, FIRST, 1000))), (1, ethernet(tcp(UE, PCSCF, b"", 77, flags=2)))]
    frames += [(1, ethernet(tcp(UE, PCSCF, SECOND, 78)))]
    frames += [(1, ethernet(tcp(UE, PCSCF, b"", 78 + len(SECOND), flags=0x11)))]
    frames += [(1, ethernet(tcp(UE, PCSCF, THIRD, 3_000_000_000)))]
    assert [text for _, _, text in decode(frames)[0]] == WANTED


@pytest.mark.parametrize(
    "stream",
    [
        FIRST.replace(b"Content-Length: 32", b"Content-Length: 2") + SECOND,
        FIRST.replace(b"Content-Length: 32\r\n", b"") + SECOND,
        FIRST.replace(b"Content-Length: 32", b"Content-Length: x") + SECOND,
        FIRST.replace(b"Content-Length: 32", b"Content-Length: 999999999") + SECOND,
        b"garbage without end \x00\xff SIP/2.0 more\r\n" * 50 + FIRST + SECOND,
        FIRST + b"INVITE  sip:x  SIP/2.0\r\nrubbish\r\n\r\n" + SECOND,
    ],
)
def test_out_of_step_streams_find_the_next_message(stream: bytes) -> None:
    for places in ([], [3, 50, 90, 300, 310, 500], list(range(0, len(stream), 7))):
        assert texts(cut(stream, places))[-1] == SECOND


def test_http_and_tls_are_not_sip() -> None:
    http = (
        b"GET /x HTTP/1.1\r\nHost: sip.example.org\r\n\r\n" + b"HTTP/1.1 200 OK\r\nServer: SIP/2.0 server\r\n\r\n" * 100
    )
    assert texts(cut(http, list(range(0, 4000, 100)))) == []
    tls = random.Random(1).randbytes(50_000)
    assert texts(cut(b"\x16\x03\x01" + tls, list(range(0, 50_000, 1400)))) == []


def test_memory_is_bounded() -> None:
    skipped: Counter[str] = Counter()
    streams = TcpStreams(lambda *_: None, lambda *_: None, skipped)
    rng = random.Random(2)
    head = FIRST[:200].replace(b"OPTIONS", b"INVITE")
    for number in range(3 * MAX_STREAMS):
        packet = tcp(UE, PCSCF, head, 1000, ports=(number % 60_000 + 1, 5060))
        streams.segment(T0 + number, packet, 20, len(packet), packet[12:20], number.to_bytes(4, "big"))
        packet = tcp(UE, PCSCF, rng.randbytes(1400), 5000, ports=(number % 60_000 + 1, 5060))
        streams.segment(T0 + number, packet, 20, len(packet), packet[12:20], number.to_bytes(4, "big"))
    assert len(streams) <= MAX_STREAMS
    assert streams.gaps <= MAX_STREAMS
    assert streams.held <= MAX_HELD
    framer = Framer(Counter(), Inflaters(Counter()))
    for _ in range(200):
        framer.feed(b"OPTIONS sip:a SIP/2.0\r\n" + b"X: " + bytes([97]) * 1000)
        assert framer.held <= MAX_MESSAGE + 2000


def frame(payload: bytes, *, opcode: int = 1, final: bool = True, mask: bytes = b"") -> bytes:
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    flag = 0x80 if mask else 0
    head += bytes([flag | size]) if size < 126 else bytes([flag | 126]) + struct.pack("!H", size)
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return head + mask + body


UPGRADE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_websocket(places: list[int]) -> None:
    parts = (
        frame(FIRST[:70], final=False, mask=b"abcd")
        + frame(b"", opcode=9, mask=b"abcd")
        + frame(FIRST[70:], opcode=0, mask=b"wxyz")
    )
    client = UPGRADE + parts + frame(SECOND, opcode=2, mask=b"1234")
    assert texts(cut(client, places)) == [FIRST, SECOND]
    answer = response(200, FIRST)
    assert texts(cut(SWITCHING + frame(answer) + frame(answer), places)) == [answer, answer]
    assert texts(cut(frame(answer), places)) == [answer]  # begun before the capture was


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", UPGRADE, SWITCHING, FIRST, FIRST[:100], b"\x81"]),
    st.lists(st.integers(0, 500), max_size=5),
)
def test_no_stream_stops_the_framer(data: bytes, start: bytes, places: list[int]) -> None:
    if start + data:
        texts(cut(start + data, places))


@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=60), st.integers(0, 63)), max_size=20))
def test_no_segment_stops_the_streams(segments: list[tuple[int, bytes, int]]) -> None:
    decode([(1, ethernet(tcp(UE, PCSCF, data, at, flags=flags))) for at, data, flags in segments], step=700_000)
