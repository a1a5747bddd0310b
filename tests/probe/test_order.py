"""A request that was reported after its response is put before it; everything else keeps its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.hep import HepPacket
from faultprint.probe.order import HOLD_US, MAX_HELD, Reorder

A, B = b"\x0a\0\0\x01", b"\x0a\0\0\x02"


def _message(timestamp: int, first: str, source: bytes = A, call: str = "c1", sequence: str = "1 BYE") -> HepPacket:
    payload = f"{first}\r\nCall-ID: {call}\r\nCSeq: {sequence}\r\n\r\n".encode()
    return HepPacket(timestamp, source, B if source == A else A, 5060, 5060, 1, payload)


def test_a_late_request_goes_before_its_response() -> None:
    reorder = Reorder()
    reorder.put(_message(1000, "SIP/2.0 200 OK", B))
    reorder.put(_message(3500, "BYE sip:x SIP/2.0", A))
    taken = reorder.take(everything=True)
    assert [packet.payload[:3] for packet in taken] == [b"BYE", b"SIP"]
    assert [packet.timestamp for packet in taken] == [999, 1000]


def test_a_late_response_goes_before_its_ack() -> None:
    reorder = Reorder()
    reorder.put(_message(900, "INVITE sip:x SIP/2.0", A, sequence="1 INVITE"))
    reorder.put(_message(1000, "ACK sip:x SIP/2.0", A, sequence="1 ACK"))
    reorder.put(_message(3500, "SIP/2.0 200 OK", B, sequence="1 INVITE"))
    taken = reorder.take(everything=True)
    assert [packet.payload[:3] for packet in taken] == [b"INV", b"SIP", b"ACK"]
    assert [packet.timestamp for packet in taken] == [900, 999, 1000]


def test_another_call_or_number_or_leg_keeps_its_time() -> None:
    for other in ({"call": "c2"}, {"sequence": "2 BYE"}, {"source": B}):
        reorder = Reorder()
        reorder.put(_message(1000, "SIP/2.0 200 OK", B))
        reorder.put(_message(3500, "BYE sip:x SIP/2.0", **other))  # type: ignore[arg-type]
        assert [packet.timestamp for packet in reorder.take(everything=True)] == [1000, 3500]


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_nothing_is_lost_and_what_is_taken_is_in_order(times: list[int]) -> None:
    reorder = Reorder()
    taken: list[HepPacket] = []
    for number, at in enumerate(times):
        reorder.put(_message(at, "OPTIONS sip:x SIP/2.0", call=str(number)))
        part = reorder.take()
        assert [packet.timestamp for packet in part] == sorted(packet.timestamp for packet in part)
        assert all(packet.timestamp <= max(times) - HOLD_US for packet in part)
        taken += part
    taken += reorder.take(everything=True)
    assert sorted(packet.timestamp for packet in taken) == sorted(times)


def test_messages_without_call_id_pass() -> None:
    reorder = Reorder()
    reorder.put(HepPacket(5, A, B, 1, 2, 1, b"garbage"))
    assert len(reorder.take(everything=True)) == 1


def test_what_is_held_is_bounded() -> None:
    reorder = Reorder()
    for number in range(MAX_HELD):
        reorder.put(_message(1, "OPTIONS sip:x SIP/2.0", call=str(number)))
    assert len(reorder.take()) == MAX_HELD
