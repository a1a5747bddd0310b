"""HEP version 3: what is encoded is decoded again, and no bytes break the decoder."""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.capture.hep import BAD_COMPRESSION, TOO_LONG, HepError, HepPacket, decode, encode
from faultprint.probe.transactions.nodes import split_leg

ports = st.integers(0, 65535)
packets = st.sampled_from([4, 16]).flatmap(
    lambda size: st.builds(
        HepPacket,
        timestamp=st.integers(0, 2**32 * 1_000_000 - 1),
        source=st.binary(min_size=size, max_size=size),
        destination=st.binary(min_size=size, max_size=size),
        source_port=ports,
        destination_port=ports,
        protocol=st.integers(0, 255),
        payload=st.binary(max_size=200),
        ip_protocol=st.integers(0, 255),
        agent=st.integers(0, 2**32 - 1),
        correlation=st.binary(max_size=20),
        node=st.binary(max_size=20),
    )
)
ONE = HepPacket(
    1_700_000_000_000_123, b"\x0a\0\0\x01", b"\x0a\0\0\x02", 5060, 5062, 1, b"OPTIONS sip:a SIP/2.0\r\n\r\n"
)


def _chunk(kind: int, body: bytes, vendor: int = 0) -> bytes:
    return struct.pack("!HHH", vendor, kind, 6 + len(body)) + body


def _with(wire: bytes, more: bytes) -> bytes:
    return wire[:4] + (len(wire) + len(more)).to_bytes(2, "big") + wire[6:] + more


@given(packets)
def test_a_packet_survives_the_wire(packet: HepPacket) -> None:
    assert decode(encode(packet)) == packet


@given(packets.map(encode), st.integers(0, 200), st.integers(0, 255))
def test_the_order_of_the_chunks_does_not_matter(wire: bytes, place: int, value: int) -> None:
    """The usual order is decoded at once, any other one chunk by chunk; a changed byte gives both the same, too."""
    changed = bytearray(wire)
    changed[6 + place % (len(wire) - 6)] = value
    for data in (wire, bytes(changed)):
        # A chunk of another vendor in front is passed over, and is not in the usual order.
        other = data[:4] + (len(data) + 6).to_bytes(2, "big") + _chunk(1, b"", vendor=7) + data[6:]
        outcomes = []
        for each in (data, other):
            try:
                outcomes.append(decode(each))
            except HepError:
                outcomes.append(None)
        assert outcomes[0] == outcomes[1]


@given(st.binary(max_size=100).map(lambda data: b"HEP3" + (len(data) + 6).to_bytes(2, "big") + data))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(HepError):
        decode(data)


@given(st.data())
def test_a_damaged_packet_is_decoded_or_refused(data: st.DataObject) -> None:
    wire = bytearray(encode(ONE))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(HepError):
        decode(bytes(wire))


def test_other_vendors_and_types_are_passed_over() -> None:
    wire = _with(encode(ONE), _chunk(1, b"other", vendor=2) + _chunk(200, b"new"))
    assert decode(wire) == ONE


def _packed(body: bytes) -> bytes:
    return _with(encode(ONE)[: -len(ONE.payload) - 6], _chunk(16, body))


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
@given(payload=st.binary(max_size=4000))
def test_a_compressed_payload_is_read(compress: Callable[[bytes], bytes], payload: bytes) -> None:
    assert decode(_packed(compress(payload))).payload == payload
    # A member of gzip may be followed by padding, or by another one, which is not read.
    assert decode(_packed(compress(payload) + b"\0\0")).payload == payload


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (random.Random(1).randbytes(100) * 700, "longer than 65507"),
        (bytes(60_000), "longer than"),
        (bytes(10_000_000), "longer than 65507"),
    ],
)
def test_a_bomb_is_refused(compress: Callable[[bytes], bytes], payload: bytes, says: str) -> None:
    with pytest.raises(HepError, match=says) as caught:
        decode(_packed(compress(payload)))
    assert caught.value.reason == TOO_LONG


@pytest.mark.parametrize(
    "body",
    [b"no zlib", b"", gzip.compress(ONE.payload, mtime=0)[:-1], zlib.compress(ONE.payload)[:-1], b"\x1f\x8b\x08"],
)
def test_a_damaged_compression_is_counted_by_its_reason(body: bytes) -> None:
    with pytest.raises(HepError, match=r"cannot be read|truncated") as caught:
        decode(_packed(body))
    assert caught.value.reason == BAD_COMPRESSION


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"HEP2" + bytes(20), "begins with HEP3"),
        (encode(ONE) + b"x", "but the packet has"),
        (b"HEP3\0\x06", r"chunk 1 \(IP family\) is missing"),
        (_with(encode(ONE), b"\0\0"), "truncated"),
        (_with(encode(ONE), struct.pack("!HHH", 0, 3, 90)), "chunk 3 claims 90 bytes of 6"),
        (_with(encode(ONE), _chunk(9, b"123")), "chunk 9 holds 3 bytes, not 4"),
        (_with(encode(ONE), _chunk(10, struct.pack("!I", 1_000_000))), "a second or more"),
        (_with(encode(ONE), _chunk(1, b"\x05")), "IP family 5"),
        (_with(encode(ONE), _chunk(3, b"123")), "4 bytes each"),
    ],
)
def test_what_is_wrong_is_named(wire: bytes, says: str) -> None:
    with pytest.raises(HepError, match=says):
        decode(wire)


@given(packets)
def test_the_leg_is_as_on_the_wire(packet: HepPacket) -> None:
    ends = [packet.source + packet.leg[-4:-2], packet.destination + packet.leg[-2:]]
    assert list(split_leg(packet.leg)) == ends
    assert struct.unpack("!HH", packet.leg[-4:]) == (packet.source_port, packet.destination_port)
