"""A request that was reported after its response is put before it; everything else keeps its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.capture.reorder import HOLD_US, MAX_HELD, CausalReorderBuffer
from faultprint.probe.messages.sip import read_datagram
from faultprint.probe.transactions.duplicates import WINDOW_US
from faultprint.probe.types import HeardMessage

Kind = tuple[str, bytes, str]
A, B = b"\x0a\0\0\x01", b"\x0a\0\0\x02"


def _message(timestamp: int, first: str, source: bytes = A, call: str = "c1", sequence: str = "1 BYE") -> HeardMessage:
    """A message between A and B; its branch is that of the call."""
    ends = "From: <sip:a>;tag=1\r\nTo: <sip:b>"
    via = f"Via: SIP/2.0/UDP a;branch=z9hG4bK{call}"
    return _heard(timestamp, f"{first}\r\n{via}\r\n{ends}\r\nCall-ID: {call}\r\nCSeq: {sequence}\r\n\r\n", source)


def _heard(timestamp: int, text: str, source: bytes = A) -> HeardMessage:
    payload = text.encode()
    message = read_datagram(payload, 0, len(payload))
    assert message is not None
    return HeardMessage(timestamp, source + (B if source == A else A) + 2 * (5060).to_bytes(2, "big"), message)


def test_a_late_request_goes_before_its_response() -> None:
    reorder = CausalReorderBuffer()
    reorder.put(_message(1000, "SIP/2.0 200 OK", B))
    reorder.put(_message(3500, "BYE sip:x SIP/2.0", A))
    taken = reorder.take(0, True)
    assert [packet.message.text[:3] for packet in taken] == [b"BYE", b"SIP"]
    assert [packet.time for packet in taken] == [999, 1000]


def test_headers_may_be_spelt_in_any_way() -> None:
    via = "v: SIP / 2.0 / UDP a ;BRANCH=z9hG4bKc1"
    late = _heard(3500, f"BYE sip:x SIP/2.0\r\ncseq :\t1\tBYE\r\ni:  c1 \r\nf: <sip:a>\r\nt: <sip:b>\r\n{via}\r\n\r\n")
    reorder = CausalReorderBuffer()
    reorder.put(_message(1000, "SIP/2.0 200 OK", B))
    reorder.put(late)
    assert [packet.message.text[:3] for packet in reorder.take(0, True)] == [b"BYE", b"SIP"]


def test_a_late_response_goes_before_its_ack() -> None:
    reorder = CausalReorderBuffer()
    reorder.put(_message(900, "INVITE sip:x SIP/2.0", A, sequence="1 INVITE"))
    reorder.put(_message(1000, "ACK sip:x SIP/2.0", A, sequence="1 ACK"))
    reorder.put(_message(3500, "SIP/2.0 200 OK", B, sequence="1 INVITE"))
    taken = reorder.take(0, True)
    assert [packet.message.text[:3] for packet in taken] == [b"INV", b"SIP", b"ACK"]
    assert [packet.time for packet in taken] == [900, 999, 1000]


def test_what_is_reported_in_order_but_stamped_late_goes_before_its_consequence() -> None:
    reorder = CausalReorderBuffer()
    reorder.put(_message(1012, "SIP/2.0 180 Ringing", B, sequence="1 INVITE"))
    reorder.put(_message(1013, "SIP/2.0 200 OK", B, sequence="1 INVITE"))
    reorder.put(_message(1009, "OPTIONS sip:x SIP/2.0", call="c2"))
    reorder.put(_message(1010, "ACK sip:x SIP/2.0", A, sequence="1 ACK"))
    reorder.put(_message(1014, "INVITE sip:x SIP/2.0", A, sequence="1 INVITE"))
    reorder.put(_message(1015 + HOLD_US, "OPTIONS sip:x SIP/2.0", call="c3"))
    taken = [*reorder.take(1015), *reorder.take(0, True)]
    assert [packet.message.text[:11] for packet in taken if b"c1" in packet.message.text] == [
        b"INVITE sip:", b"SIP/2.0 180", b"SIP/2.0 200", b"ACK sip:x S"
    ]  # fmt: skip
    assert [packet.time for packet in taken] == [1008, 1009, 1009, 1009, 1010, 1015 + HOLD_US]
    assert not reorder.take(0, True)


def test_another_call_or_number_or_leg_keeps_its_time() -> None:
    for other in ({"call": "c2"}, {"sequence": "2 BYE"}, {"source": B}):
        reorder = CausalReorderBuffer()
        reorder.put(_message(1000, "SIP/2.0 200 OK", B))
        reorder.put(_message(3500, "BYE sip:x SIP/2.0", **other))  # type: ignore[arg-type]
        assert [packet.time for packet in reorder.take(0, True)] == [1000, 3500]


def test_a_request_that_comes_as_late_as_messages_are_held_is_put_in_order() -> None:
    for late, order in ((HOLD_US, [b"BYE", b"SIP"]), (HOLD_US + 1, [b"SIP", b"BYE"])):
        reorder = CausalReorderBuffer()
        taken: list[HeardMessage] = []
        for at in range(1000, 1000 + late, 10_000):
            reorder.put(_message(at, "SIP/2.0 200 OK", B, call="c1" if at == 1000 else str(at)))
            taken += reorder.take(at - HOLD_US)
        taken += reorder.take(999 + late - HOLD_US)
        reorder.put(_message(1000 + late, "BYE sip:x SIP/2.0"))
        taken += [*reorder.take(1000 + late - HOLD_US), *reorder.take(0, True)]
        assert [packet.message.text[:3] for packet in taken if b"c1" in packet.message.text] == order
        assert len(taken) == len(range(1000, 1000 + late, 10_000)) + 1


@given(answered=st.integers(1, 600_000), again=st.integers(500_000, 700_000), at_once=st.booleans())
def test_a_request_that_is_sent_again_is_never_put_beside_the_first(answered: int, again: int, at_once: bool) -> None:
    reorder = CausalReorderBuffer()
    messages = [(0, "BYE sip:x SIP/2.0", A), (answered, "SIP/2.0 200 OK", B), (again, "BYE sip:x SIP/2.0", A)]
    taken: list[HeardMessage] = []
    for message in sorted(messages):
        reorder.put(_message(*message))
        taken += [] if at_once else reorder.take(message[0] - HOLD_US)
    taken += reorder.take(0, True)
    first, second = (packet.time for packet in taken if packet.leg.startswith(A))
    assert second - first > WINDOW_US


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_nothing_is_lost_and_what_is_taken_is_in_order(times: list[int]) -> None:
    reorder = CausalReorderBuffer()
    taken: list[HeardMessage] = []
    for number, at in enumerate(times):
        reorder.put(_message(at, "OPTIONS sip:x SIP/2.0", call=str(number)))
        part = reorder.take(at - HOLD_US)
        assert [packet.time for packet in part] == sorted(packet.time for packet in part)
        assert all(packet.time <= at - HOLD_US for packet in part)
        taken += part
    taken += reorder.take(0, True)
    assert sorted(packet.time for packet in taken) == sorted(times)


KINDS = (("INVITE sip:x SIP/2.0", A, "INVITE"), ("SIP/2.0 200 OK", B, "INVITE"), ("ACK sip:x SIP/2.0", A, "ACK"))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans()), max_size=300))
def test_messages_of_one_transaction_each_come_out_once_and_no_later(messages: list[tuple[int, Kind, bool]]) -> None:
    reorder = CausalReorderBuffer()
    taken: list[HeardMessage] = []
    for number, (at, (first, source, method), look) in enumerate(messages):
        reorder.put(
            _message(
                at,
                f"{first}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKc1\r\nSubject: {number}",
                source,
                sequence=f"1 {method}",
            )
        )
        taken += reorder.take(at - HOLD_US) if look else []
    taken += reorder.take(0, True)
    came_out = {int(packet.message.text.split(b"Subject: ")[1].split(b"\r")[0]): packet.time for packet in taken}
    assert len(taken) == len(messages) == len(came_out)
    assert all(at - 2 * HOLD_US - 2 <= came_out[number] <= at for number, (at, _, _) in enumerate(messages))


def test_messages_without_call_id_pass() -> None:
    reorder = CausalReorderBuffer()
    reorder.put(_heard(5, "BYE sip:x SIP/2.0\r\nSubject: garbage\r\n\r\n"))
    assert len(reorder.take(0, True)) == 1


def test_what_is_held_is_bounded() -> None:
    reorder = CausalReorderBuffer()
    for number in range(MAX_HELD):
        reorder.put(_message(1, "OPTIONS sip:x SIP/2.0", call=str(number)))
    assert len(reorder.take(0)) == MAX_HELD
