"""The DNS of a bed: answers to queries, and errors for everything else."""

from __future__ import annotations

import contextlib
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.testbed.protocols.dns import DnsError, answer

ZONE = {"ims.test": "10.20.0.2"}
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)


def query(name: str, kind: int = dns.rdatatype.A, identifier: int = 1) -> bytes:
    message = dns.message.make_query(name, kind, id=identifier)
    return message.to_wire()


@given(st.integers(0, 65535), st.lists(labels, min_size=1, max_size=5), st.integers(1, 40))
def test_a_response_repeats_identifier_and_question(identifier: int, parts: list[str], kind: int) -> None:
    response = dns.message.from_wire(answer(query(".".join(parts), kind, identifier), ZONE, ttl=10))
    (question,) = response.question
    assert (response.id, question.name.to_text(omit_final_dot=True)) == (identifier, ".".join(parts))
    assert question.rdtype == kind
    assert response.flags & dns.flags.QR


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DnsError):
        answer(data, ZONE, ttl=10)


@given(st.data())
def test_a_damaged_query_is_answered_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(query("ims.test"))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DnsError):
        answer(bytes(damaged), ZONE, ttl=10)


def test_a_known_name_gets_its_address_and_ttl() -> None:
    response = answer(query("IMS.test", identifier=7), ZONE, ttl=10)
    identifier, flags, questions, answers = struct.unpack_from("!HHHH", response)
    assert (identifier, flags & 0x800F, questions, answers) == (7, 0x8000, 1, 1)
    assert flags & dns.flags.AA
    assert response[-10:] == struct.pack("!IH4B", 10, 4, 10, 20, 0, 2)


@pytest.mark.parametrize(("name", "kind", "code"), [("ims.test", 33, 0), ("other.test", 1, dns.rcode.NXDOMAIN)])
def test_an_unknown_name_or_type_has_no_answer(name: str, kind: int, code: int) -> None:
    response = answer(query(name, kind), ZONE, ttl=10)
    assert struct.unpack_from("!HHHH", response)[1] & 0xF == code
    assert struct.unpack_from("!HHHH", response)[3] == 0


def test_a_response_is_no_query() -> None:
    with pytest.raises(DnsError, match="exactly one question"):
        answer(answer(query("ims.test"), ZONE, ttl=10), ZONE, ttl=10)
