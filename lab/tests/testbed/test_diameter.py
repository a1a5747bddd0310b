"""The Diameter codec: what is encoded is decoded again, and no bytes break it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.testbed.protocols.diameter import (
    VENDOR_3GPP,
    ApplicationId,
    Avp,
    Code,
    Command,
    DiameterError,
    DiameterMessageCodec,
    avp,
    decode,
    decode_avps,
    message_length,
)

words = st.integers(0, 2**32 - 1)
avps = st.builds(
    Avp, code=words, data=st.binary(max_size=60), vendor=st.sampled_from([0, VENDOR_3GPP]), mandatory=st.booleans()
)
messages = st.builds(
    DiameterMessageCodec,
    command=st.integers(0, 2**24 - 1),
    application=words,
    request=st.booleans(),
    hop_by_hop=words,
    end_to_end=words,
    avps=st.lists(avps, max_size=6).map(tuple),
    proxiable=st.booleans(),
    error=st.booleans(),
)


@given(messages)
def test_a_message_survives_the_wire(message: DiameterMessageCodec) -> None:
    wire = message.encode()
    assert len(wire) % 4 == 0
    assert message_length(wire[:4]) == len(wire)
    assert decode(wire) == message


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DiameterError):
        decode(data)


@given(messages, st.data())
def test_a_damaged_message_is_decoded_or_refused(message: DiameterMessageCodec, data: st.DataObject) -> None:
    wire = bytearray(message.encode())
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DiameterError):
        decode(bytes(wire))


def test_known_bytes_of_a_watchdog() -> None:
    # RFC 6733, 5.5.1: version 1, length 20 + 20 + 16, request, command 280.
    wire = bytes.fromhex(
        "01000038" "80000118" "00000000" "00000001" "00000002"
        "00000108" "40000013" "69636373662e616161" "616100" "00000128" "40000010" "696d732e74657374"
    )  # fmt: skip
    message = decode(wire)
    assert message.command == Command.DEVICE_WATCHDOG
    assert message.request
    assert message.text(Code.ORIGIN_HOST) == "iccsf.aaaaa"
    assert message.text(Code.ORIGIN_REALM) == "ims.test"
    assert DiameterMessageCodec(
        280, 0, True, 1, 2, (avp(Code.ORIGIN_HOST, "iccsf.aaaaa"), avp(Code.ORIGIN_REALM, "ims.test")), proxiable=False
    ).encode() == wire  # fmt: skip


def test_3gpp_codes_carry_the_vendor() -> None:
    assert avp(Code.PUBLIC_IDENTITY, "sip:a@b").vendor == VENDOR_3GPP
    assert avp(Code.RESULT_CODE, 2001).vendor == 0


def test_groups_nest() -> None:
    group = avp(Code.EXPERIMENTAL_RESULT, (avp(Code.VENDOR_ID, 10415), avp(Code.EXPERIMENTAL_RESULT_CODE, 5001)))
    assert [one.number for one in group.group] == [10415, 5001]


def test_an_answer_keeps_the_identifiers() -> None:
    request = DiameterMessageCodec(Command.USER_AUTHORIZATION, ApplicationId.CX, True, 7, 9)
    answer = request.answer(avp(Code.RESULT_CODE, 2001))
    assert (answer.request, answer.hop_by_hop, answer.end_to_end) == (False, 7, 9)


def test_an_avp_that_claims_too_much_is_named() -> None:
    with pytest.raises(DiameterError, match="AVP 264 claims 200 bytes of 8"):
        decode_avps(bytes.fromhex("00000108400000c8"))
