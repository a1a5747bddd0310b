"""The Diameter codec: encoding and decoding are inverse, and invalid bytes raise DiameterError only."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.messages.dictionary import VENDOR_3GPP, ApplicationId, AvpCode, CommandCode
from faultprint_lab.testbed.protocols.diameter import (
    Avp,
    DiameterError,
    DiameterPdu,
    avp,
    decode,
    decode_avps,
    message_length,
)

unsigned32 = st.integers(0, 2**32 - 1)
avps = st.builds(
    Avp, code=unsigned32, data=st.binary(max_size=60), vendor=st.sampled_from([0, VENDOR_3GPP]), mandatory=st.booleans()
)
messages = st.builds(
    DiameterPdu,
    command=st.integers(0, 2**24 - 1),
    application=unsigned32,
    request=st.booleans(),
    hop_by_hop=unsigned32,
    end_to_end=unsigned32,
    avps=st.lists(avps, max_size=6).map(tuple),
    proxiable=st.booleans(),
    error=st.booleans(),
)


@given(messages)
def test_encoding_and_decoding_are_inverse(message: DiameterPdu) -> None:
    data = message.encode()
    assert len(data) % 4 == 0
    assert message_length(data[:4]) == len(data)
    assert decode(data) == message


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DiameterError):
        decode(data)


@given(messages, st.data())
def test_a_damaged_message_is_decoded_or_refused(message: DiameterPdu, data: st.DataObject) -> None:
    damaged = bytearray(message.encode())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DiameterError):
        decode(bytes(damaged))


def test_known_bytes_of_a_watchdog() -> None:
    # RFC 6733, 5.5.1: version 1, length 20 + 20 + 16, request, command 280.
    data = bytes.fromhex(
        "01000038" "80000118" "00000000" "00000001" "00000002"
        "00000108" "40000013" "69636373662e616161" "616100" "00000128" "40000010" "696d732e74657374"
    )  # fmt: skip
    message = decode(data)
    assert message.command == CommandCode.DEVICE_WATCHDOG
    assert message.request
    assert message.text(AvpCode.ORIGIN_HOST) == "iccsf.aaaaa"
    assert message.text(AvpCode.ORIGIN_REALM) == "ims.test"
    assert DiameterPdu(
        280, 0, True, 1, 2, (avp(AvpCode.ORIGIN_HOST, "iccsf.aaaaa"), avp(AvpCode.ORIGIN_REALM, "ims.test")), proxiable=False
    ).encode() == data  # fmt: skip


def test_3gpp_codes_carry_the_vendor() -> None:
    assert avp(AvpCode.PUBLIC_IDENTITY, "sip:a@b").vendor == VENDOR_3GPP
    assert avp(AvpCode.RESULT_CODE, 2001).vendor == 0


def test_groups_nest() -> None:
    group = avp(
        AvpCode.EXPERIMENTAL_RESULT, (avp(AvpCode.VENDOR_ID, 10415), avp(AvpCode.EXPERIMENTAL_RESULT_CODE, 5001))
    )
    assert [member.number for member in group.group] == [10415, 5001]


def test_an_answer_keeps_the_identifiers() -> None:
    request = DiameterPdu(CommandCode.USER_AUTHORIZATION, ApplicationId.CX, True, 7, 9)
    answer = request.answer(avp(AvpCode.RESULT_CODE, 2001))
    assert (answer.request, answer.hop_by_hop, answer.end_to_end) == (False, 7, 9)


def test_an_avp_that_is_too_long_is_an_error() -> None:
    with pytest.raises(DiameterError, match="AVP 264 claims 200 bytes of 8"):
        decode_avps(bytes.fromhex("00000108400000c8"))
