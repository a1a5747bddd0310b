"""One Diameter message: what is one, and what its AVPs say."""

from __future__ import annotations

import pytest
from captures import CX, KEY, RX, answer, avp, diameter, subscription
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.messages.diameter import MAX_MESSAGE, MIN_MESSAGE, DiameterMessage, find, length_at
from faultprint.probe.privacy.pseudonyms import Hasher

# Written down by hand from RFC 6733 (3 and 4.1) and TS 29.214 (5.6.1): an AAR with Session-Id and Subscription-Id.
AAR = bytes.fromhex(
    "0100005c c0000109 01000014 0000000a 0000000b"  # version, length; flags RP, command 265; Rx; both identifiers
    "00000107 4000000d 703b313b 31000000"  # Session-Id p;1;1, three bytes of padding
    "000001bb 40000038"  # Subscription-Id, grouped
    "000001c2 4000000c 00000002"  # Subscription-Id-Type: SIP URI
    "000001bc 40000022 7369703a 2b34392d 33304069 6d732e65 78616d70 6c652e6f 72670000"  # Subscription-Id-Data
)
# Its answer with Experimental-Result 5063 of vendor 10415.
AAA = bytes.fromhex(
    "01000044 40000109 01000014 0000000a 0000000b 00000107 4000000d 703b313b 31000000"
    "00000129 40000020 0000010a 4000000c 000028af 0000012a 4000000c 000013c7"
)


def test_golden_bytes() -> None:
    assert [length_at(text, 0, len(text)) for text in (AAR, AAA)] == [len(AAR), len(AAA)]
    asked, answered = DiameterMessage(AAR), DiameterMessage(AAA)
    assert asked.read_avps()
    assert answered.read_avps()
    assert (asked.request, asked.command, asked.application) == (True, 265, RX)
    assert (asked.hop_by_hop, asked.end_to_end, asked.session, asked.status) == (10, 11, b"p;1;1", 0)
    assert asked.subscriber == b"sip:+49-30@ims.example.org"
    assert Hasher(KEY).user(asked.subscriber) == Hasher(KEY).user(b"<tel:+49-30>")
    assert (answered.request, answered.status, answered.session) == (False, 5063, b"p;1;1")
    assert asked.defect is answered.defect is None


SIP = b"<sip:alice@ims.example.org>"
NAMES = {
    "public identity": ([avp(1, b"001@ims.example.org"), avp(601, b"sip:alice@IMS.example.org", 10415)], SIP),
    "first of several": ([avp(601, b"sip:alice@ims.example.org", 10415), avp(601, b"sip:b@x", 10415)], SIP),
    "of another vendor": ([avp(601, b"sip:bob@ims.example.org", 99), avp(1, b"alice@ims.example.org")], SIP),
    "private identity": ([avp(1, b"alice@ims.example.org")], SIP),
    "SIP URI": ([subscription(1, b"001010"), subscription(2, b"sip:alice@ims.example.org;user=phone")], SIP),
    "without its scheme": ([subscription(2, b"alice@ims.example.org")], SIP),
    "NAI": ([subscription(3, b"alice@ims.example.org"), subscription(1, b"001010")], SIP),
    "E.164": ([subscription(3, b"alice@ims.example.org"), subscription(0, b"4930123")], b"<tel:+4930123>"),
    "E.164 with its plus": ([subscription(0, b"+4930123")], b"<tel:+4930123>"),
    "IMSI": ([subscription(1, b"001010123")], b"<imsi:001010123>"),
    "private type": ([subscription(4, b"x")], None),
    "nothing in it": ([avp(443, b""), subscription(2, b""), avp(1, b"")], None),
    "nobody": ([], None),
}


@pytest.mark.parametrize("name", NAMES)
def test_one_hash_for_one_subscriber(name: str) -> None:
    avps, address = NAMES[name]
    message = DiameterMessage(diameter(300, *avps, application=CX))
    assert message.read_avps()
    hasher = Hasher(KEY)
    assert (hasher.user(message.subscriber) if message.subscriber else None) == (
        hasher.user(address) if address else None
    )


REQUEST = diameter(265)
ANSWERS = {
    "success": (answer(REQUEST), 2001, None),
    "experimental": (answer(REQUEST, None, avp(297, avp(266, 10415) + avp(298, 5065))), 5065, None),
    "both": (answer(REQUEST, 3004, avp(297, avp(298, 5065))), 3004, None),
    "an error of a proxy, without session": (answer(REQUEST, 3002, flags=0x60, session=None), 3002, None),
    "no result": (answer(REQUEST, None), 0, "Diameter Result-Code"),
    "too short": (answer(REQUEST, None, avp(268, b"\x07\xd1")), 0, "Diameter Result-Code"),
    "too large": (answer(REQUEST, 70_000), 0, "Diameter Result-Code"),
    "too small": (answer(REQUEST, 999), 0, "Diameter Result-Code"),
    "empty group": (answer(REQUEST, None, avp(297, b"")), 0, "Diameter Result-Code"),
    "a lying group": (answer(REQUEST, None, avp(297, avp(298, 5065)[:-2])), 0, "Diameter AVP length"),
    "a lying AVP behind it": (answer(REQUEST, 2001, avp(1, b"abcd")[:-4]), 2001, "Diameter AVP length"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_results(name: str) -> None:
    text, status, defect = ANSWERS[name]
    message = DiameterMessage(text)
    assert message.read_avps() == (status > 0)
    assert (message.status, message.defect) == (status, defect)


def test_a_request_without_session_is_a_request() -> None:
    message = DiameterMessage(diameter(265, session=None))
    assert message.read_avps()
    assert (message.session, message.defect) == (b"", "Diameter Session-Id")


HEADERS = {
    "version 2": (0, b"\x02"),
    "a length that is no multiple of four": (3, b"\x42"),
    "shorter than any": (1, b"\x00\x00\x18"),
    "longer than is believed": (1, b"\x02\x00\x04"),
    "a reserved flag": (4, b"\xc1"),
    "an error flag in a request": (4, b"\xe0"),
    "an unknown command": (5, b"\x00\x03\x09"),
    "an unknown application": (8, b"\x02\x00\x00\x14"),
    "a first AVP with reserved flags": (24, b"\x41"),
    "a first AVP beyond the end": (26, b"\x01\x00"),
    "a first AVP without its header": (26, b"\x00\x07"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_is_no_header(name: str) -> None:
    at, wrong = HEADERS[name]
    assert length_at(AAR, 0, len(AAR)) == len(AAR)
    assert length_at(AAR[:at] + wrong + AAR[at + len(wrong) :], 0, len(AAR)) == 0
    assert length_at(AAR, 0, MIN_MESSAGE - 1) == 0


def test_a_header_is_found_behind_what_resembles_one() -> None:
    almost = AAR[:26] + b"\x01\x00"
    assert find(almost[:12] + AAR, 0, 200) == 12
    assert find(b"\x01" * 50 + AAR, 0, 200) == 50
    assert find(AAR, 1, len(AAR)) is None


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header(data: bytes) -> None:
    message = DiameterMessage(AAR[:28] + data)
    message.read_avps()
    assert 0 <= message.status < 2**16
    length_at(data, 0, len(data))
    find(data, 0, len(data))


@given(
    st.sampled_from([AAR, AAA]),
    st.lists(st.tuples(st.integers(20, 91), st.integers(0, 255)), max_size=4),
    st.integers(20, 92),
)
def test_lying_lengths_and_truncated_avps(text: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    changed = bytearray(text)
    for at, value in changes:
        changed[at % len(changed)] = value
    message = DiameterMessage(bytes(changed[:20] + changed[20:cut]))
    usable = message.read_avps()
    assert usable or message.defect is not None


def test_the_longest_costs_no_more_than_its_length() -> None:
    text = AAR[:20] + avp(1, b"") * ((MAX_MESSAGE - 20) // 8)
    message = DiameterMessage(text)
    assert message.read_avps()
    assert message.subscriber == b""
