"""Diameter over TCP and SCTP: however it is cut, joined or lost, the messages are the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from captures import CX, MS, PCSCF, T0, UE, S, answer, avp, chunk, diameter, ethernet, ip, request, sctp, tcp
from hypothesis import given
from hypothesis import strategies as st
from test_tcp import cut

from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.decode.framing import Framer
from faultprint.probe.decode.inflation import Inflaters
from faultprint.probe.decode.sctp import MAX_ASSOCIATIONS, MAX_HELD, SctpAssociations
from faultprint.probe.messages.diameter import MAX_MESSAGE, DiameterMessage
from faultprint.probe.messages.sip import SipMessage

HSS = "10.0.2.1"
FIRST = diameter(265, avp(1, b"alice@ims.example.org"))
SECOND = answer(FIRST)
THIRD = diameter(301, avp(606, bytes(range(256)) * 20, 10415), application=CX, hop=2)
STREAM = FIRST + SECOND + THIRD
WANTED = [FIRST, SECOND, THIRD]
PORTS = (40000, 13868)


def decode(packets: Iterable[tuple[int, bytes]]) -> tuple[list[bytes], list[tuple[int, bytes]], Counter[str]]:
    """Texts of SIP and of Diameter messages with their times (µs after T0), what was skipped; packets by time."""
    sip: list[bytes] = []
    diameters: list[tuple[int, bytes]] = []
    skipped: Counter[str] = Counter()

    def take_sip(timestamp: int, leg: bytes, message: SipMessage) -> None:
        sip.append(message.text)

    def take_diameter(timestamp: int, leg: bytes, message: DiameterMessage) -> None:
        diameters.append((timestamp - T0, message.text if message.defect is None else b""))

    decoder = Decoder(take_sip, take_diameter, skipped)
    for at, packet in packets:
        decoder.frame(T0 + at, 1, ethernet(packet))
        decoder.expire(T0 + at)
    decoder.finish()
    return sip, diameters, skipped


def texts(segments: Iterable[tuple[int, bytes]], step: int = MS, start: int = 1000) -> list[bytes]:
    """Diameter messages in segments given as (offset in the stream, bytes)."""
    packets = [
        (number * step, tcp(PCSCF, HSS, data, start + at, PORTS)) for number, (at, data) in enumerate(segments) if data
    ]
    sip, diameters, _ = decode(packets)
    assert sip == []
    return [text for _, text in diameters]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_segmentation_gives_the_same_messages(places: list[int]) -> None:
    assert texts(cut(STREAM, places)) == WANTED


def test_single_bytes() -> None:
    assert texts([(at, STREAM[at : at + 1]) for at in range(len(STREAM))]) == WANTED


@given(st.lists(st.integers(0, len(STREAM)), min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_repetition_after_the_first_segment(places: list[int], rng: random.Random) -> None:
    segments = cut(STREAM, places)
    rest = segments[1:] + rng.sample(segments, len(segments) // 2)
    rng.shuffle(rest)
    assert texts(segments[:1] + rest) == WANTED


@pytest.mark.parametrize("missed", [1, 30, len(FIRST) - 1, len(FIRST) + 5])
def test_a_stream_is_joined_within_a_message_and_at_once(missed: int) -> None:
    """The next whole message counts from its own arrival, not from that of later bytes."""
    whole = [text for at, text in ((0, FIRST), (len(FIRST), SECOND)) if at >= missed]
    packets = [
        (0, tcp(PCSCF, HSS, (FIRST + SECOND)[missed:], 1, PORTS)),
        (S, tcp(PCSCF, HSS, THIRD, 1 + len(FIRST + SECOND) - missed, PORTS)),
    ]
    assert decode(packets)[1] == [*((0, text) for text in whole), (S, THIRD)]


def test_a_lost_segment_is_given_up_and_the_stream_goes_on() -> None:
    late = len(FIRST + SECOND) - 20
    assert texts([(0, FIRST[:60]), (late, STREAM[late:])], step=4 * S) == [THIRD]


def test_a_stream_out_of_step_counts_once_and_finds_the_next_message() -> None:
    for places in ([], [5, len(FIRST) + 3, len(FIRST) + 300], list(range(0, 800, 7))):
        rubbish = FIRST + b"\x01\x00" + bytes(range(200)) * 2 + SECOND
        assert texts(cut(rubbish, places)) == [FIRST, b"", SECOND]


def test_other_bytes_are_neither() -> None:
    noise = random.Random(1).randbytes(200_000)
    assert texts(cut(b"\x16\x03\x01" + noise, list(range(0, 200_000, 1400)))) == []
    assert texts(cut(b"\x01" + noise, list(range(0, 200_000, 1400)))) == []


def test_sip_and_diameter_each_on_its_connection() -> None:
    text = request("OPTIONS")
    packets = [
        (0, tcp(UE, PCSCF, text, 1)),
        (1, tcp(PCSCF, HSS, FIRST, 1, PORTS)),
        (2, sctp(PCSCF, HSS, chunk(1, SECOND))),
    ]
    sip, diameters, skipped = decode(packets)
    assert (sip, [found for _, found in diameters], skipped) == ([text], [FIRST, SECOND], Counter())


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", FIRST, FIRST[:40], b"\x01"]),
    st.lists(st.integers(0, 500), max_size=5),
)
def test_no_stream_stops_the_framer(data: bytes, start: bytes, places: list[int]) -> None:
    if start + data:
        segments = cut(start + data, places)
        decode([(at * MS, tcp(PCSCF, HSS, part, 1 + at, PORTS)) for at, part in segments])


def test_a_framer_holds_no_more_than_a_message() -> None:
    framer = Framer(Counter(), Inflaters(Counter()))
    head = diameter(265, bytes(64))
    longest = head[:1] + MAX_MESSAGE.to_bytes(3, "big") + head[4:]
    framer.feed(longest)
    for _ in range(200):
        framer.feed(bytes(1400))
        assert framer.held <= MAX_MESSAGE
    for _ in range(200):
        framer.feed(b"\x02" + bytes(1399))
        assert framer.held <= 2048


def parts(text: bytes, size: int, number: int = 100) -> list[bytes]:
    """DATA chunks of a message cut into pieces of `size` bytes, numbered on from `number`."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    last = len(pieces) - 1
    return [
        chunk(number + at, piece, flags=(2 if at == 0 else 0) | (1 if at == last else 0))
        for at, piece in enumerate(pieces)
    ]


def heard(*packets: bytes, step: int = MS) -> tuple[list[bytes], Counter[str]]:
    _, diameters, skipped = decode((number * step, packet) for number, packet in enumerate(packets))
    return [text for _, text in diameters], skipped


def test_chunks_one_by_one_and_bundled() -> None:
    sack = bytes([3, 0, 0, 16]) + bytes(12)
    assert heard(sctp(PCSCF, HSS, sack, chunk(5, FIRST), chunk(6, SECOND), chunk(7, THIRD))) == (WANTED, Counter())
    assert heard(*(sctp(PCSCF, HSS, chunk(7 - at, text)) for at, text in enumerate(WANTED))) == (WANTED, Counter())
    six = sctp("2001:db8::1", "2001:db8::2", chunk(5, FIRST, payload=0))
    assert heard(six)[0] == [FIRST]


@given(st.integers(30, 900), st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_fragments_in_any_order_and_repeated(size: int, rng: random.Random, number: int) -> None:
    pieces = parts(THIRD, size, number)
    order = pieces + rng.sample(pieces, len(pieces) // 2)
    rng.shuffle(order)
    found, skipped = heard(*(sctp(PCSCF, HSS, piece) for piece in order))
    assert found == [THIRD]
    assert skipped == Counter({"repeated SCTP chunk": len(pieces) // 2})


def test_fragments_of_two_streams_and_over_two_paths() -> None:
    one, other = parts(THIRD, 1000, 1), parts(THIRD, 1000, 1 + len(parts(THIRD, 1000)))
    mixed = [sctp(PCSCF, HSS, piece) for pair in zip(one, other, strict=True) for piece in pair]
    assert heard(*mixed)[0] == [THIRD, THIRD]
    paths = [sctp(PCSCF, ("10.0.2.1", "10.1.2.1")[at % 2], piece) for at, piece in enumerate(one)]
    assert heard(*paths, paths[0]) == ([THIRD], Counter({"repeated SCTP chunk": 1}))


def test_a_missing_fragment_is_not_waited_for_for_ever() -> None:
    pieces = [sctp(PCSCF, HSS, piece) for piece in parts(THIRD, 1000)]
    del pieces[1]
    packets = [(at, piece) for at, piece in enumerate(pieces)]
    _, found, skipped = decode([*packets, (31 * S, sctp(PCSCF, HSS, chunk(900, FIRST))), *packets[:1]])
    assert found == [(31 * S, FIRST)]
    assert skipped == Counter({"incomplete SCTP fragments": 1, "repeated SCTP chunk": 1})
    assert heard(*pieces)[1] == Counter({"incomplete SCTP fragments": 1})


def test_what_is_skipped_is_counted() -> None:
    packet = sctp(PCSCF, HSS, chunk(1, FIRST))
    for payload, wanted in ((46, [b""]), (0, []), (18, [])):
        found, skipped = heard(sctp(PCSCF, HSS, chunk(1, b"\x02" + FIRST[1:], payload=payload)))
        assert (found, sum(skipped.values())) == (wanted, 1 - len(wanted))
    assert heard(sctp(PCSCF, HSS, chunk(1, FIRST + bytes(4))))[0] == [b""]
    short = Counter({"truncated IP or transport header": 1})
    for cut_short in (
        packet[:30],
        packet[:34],
        packet[:-8],
        sctp(PCSCF, HSS, chunk(1, b"")),
        sctp(PCSCF, HSS, bytes(4)),
    ):
        assert heard(ip(PCSCF, HSS, 132, cut_short[20:])) == ([], short)
    assert heard(sctp(PCSCF, HSS, bytes([6, 0, 0, 4])))[1] == Counter()


def test_numbers_far_back_and_far_ahead() -> None:
    wire = [sctp(PCSCF, HSS, chunk(number, FIRST)) for number in (5000, 9000, 5000, 9000, 7900, 8500)]
    found, skipped = heard(*wire)
    # 7900 and the second 5000 are too far back to be told from repeats.
    assert (len(found), skipped["repeated SCTP chunk"]) == (3, 3)
    wrapped = [sctp(PCSCF, HSS, chunk(number, FIRST)) for number in (2**32 - 1, 0, 2**32 - 1, 1)]
    assert len(heard(*wrapped)[0]) == 3


def test_memory_is_bounded() -> None:
    skipped: Counter[str] = Counter()
    held = SctpAssociations(lambda *_: None, lambda *_: None, skipped)
    for number in range(3 * MAX_ASSOCIATIONS):
        for flags in (2, 0):
            packet = sctp(PCSCF, HSS, chunk(number * 3 + flags, bytes(1400), flags=flags), tag=number)
            held.packet(T0, packet, 20, len(packet), packet[12:20], b"")
    for number in range(1000):
        packet = sctp(PCSCF, HSS, chunk(2 * number, bytes(8), flags=0))
        held.packet(T0, packet, 20, len(packet), packet[12:20], b"")
    assert len(held) <= MAX_ASSOCIATIONS
    assert 0 <= held.held <= MAX_HELD
    assert max(held.waiting) <= 257
    assert skipped["incomplete SCTP fragments"] > 1000
    held.finish()
    assert (held.held, held.waiting) == (0, ())


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 7), st.binary(max_size=60), st.sampled_from([0, 18, 46])),
        max_size=20,
    )
)
def test_no_chunks_stop_the_associations(chunks: list[tuple[int, int, bytes, int]]) -> None:
    wire = [chunk(number, data, flags=flags, payload=payload) for number, flags, data, payload in chunks]
    heard(*(sctp(PCSCF, HSS, one) for one in wire), sctp(PCSCF, HSS, *wire))


@given(st.binary(max_size=120), st.integers(0, 200))
def test_no_packet_stops_the_associations(data: bytes, cut_at: int) -> None:
    heard(ip(PCSCF, HSS, 132, data), ip(PCSCF, HSS, 132, (sctp(PCSCF, HSS, chunk(1, FIRST))[20:] + data)[:cut_at]))
