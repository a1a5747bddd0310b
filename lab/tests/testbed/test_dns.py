"""The DNS of a bed: queries decoded, answers encoded."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.testbed.protocols.dns import (
    NAME_ERROR,
    A,
    DnsError,
    decode_query,
    encode_answer,
    encode_query,
)

ZONE = {"ims.test": "10.20.0.2"}
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)


@given(st.integers(0, 65535), st.lists(labels, min_size=1, max_size=5), st.integers(1, 255))
def test_a_query_survives_the_wire(identifier: int, parts: list[str], kind: int) -> None:
    query = decode_query(encode_query(identifier, ".".join(parts), kind))
    assert (query.identifier, query.name, query.kind) == (identifier, ".".join(parts), kind)


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DnsError):
        decode_query(data)


def test_a_known_name_gets_its_address_and_ttl() -> None:
    answer = encode_answer(decode_query(encode_query(7, "IMS.test")), ZONE, ttl=10)
    identifier, flags, questions, answers = struct.unpack_from("!HHHH", answer)
    assert (identifier, flags & 0x800F, questions, answers) == (7, 0x8000, 1, 1)
    assert answer[-10:] == struct.pack("!IH4B", 10, 4, 10, 20, 0, 2)


@pytest.mark.parametrize(("name", "kind", "code"), [("ims.test", 33, 0), ("other.test", A, NAME_ERROR)])
def test_what_is_not_there_has_no_answer(name: str, kind: int, code: int) -> None:
    answer = encode_answer(decode_query(encode_query(1, name, kind)), ZONE, ttl=10)
    assert struct.unpack_from("!HHHH", answer)[1] & 0xF == code
    assert struct.unpack_from("!HHHH", answer)[3] == 0
