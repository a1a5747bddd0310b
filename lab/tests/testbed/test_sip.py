"""The SIP parser and builder of the user agents."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.testbed.protocols import sip

REQUEST = (
    b"INVITE sip:b@ims.test SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2\r\n"
    b'f: "A, B" <sip:a@ims.test;x=1>;tag=t1\r\nTo: <sip:b@ims.test>\r\ni: abc\r\nCSeq: 3 INVITE\r\n'
    b"Subject: one\r\n two\r\nl: 4\r\n\r\nbody"
)


def test_compact_folded_and_listed_headers() -> None:
    message = sip.parse(REQUEST)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:b@ims.test", b"body")
    assert message.branch == "z9hG4bK1"
    assert len(message.all("via")) == 2
    assert message.get("subject") == "one two"
    assert sip.parameter(message.get("from"), "tag") == "t1"
    assert sip.uri_of(message.get("from")) == "sip:a@ims.test;x=1"
    assert message.cseq == (3, "INVITE")


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(sip.SipError):
        message = sip.parse(data)
        message.branch  # noqa: B018
        message.cseq  # noqa: B018


tokens = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


@given(st.lists(st.tuples(tokens.map(lambda name: f"x-{name}"), tokens), max_size=6), st.binary(max_size=40))
def test_an_encoded_message_is_parsed_again(headers: list[tuple[str, str]], body: bytes) -> None:
    message = sip.SipPdu(method="MESSAGE", uri="sip:a@b", headers=[("cseq", "1 MESSAGE"), *headers], body=body)
    assert sip.parse(message.encode()) == message


@given(st.lists(st.text('ab<>," ;=', max_size=8), max_size=4).map(",".join))
def test_a_list_is_split_without_loss(value: str) -> None:
    assert "".join(sip.split_list(value)).replace(" ", "").replace(",", "") == value.replace(" ", "").replace(",", "")


def test_digest_of_rfc_2617() -> None:
    # RFC 2617, 3.5, with its nonce, cnonce and response.
    challenge = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "qop": "auth"}
    ha1 = sip.md5_hex("Mufasa:testrealm@host.com:Circle Of Life")
    header = sip.digest_authorization(
        challenge, username="Mufasa", ha1=ha1, method="GET", uri="/dir/index.html", cnonce="0a4f113b"
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in header


def test_a_challenge_is_read_with_and_without_quotes() -> None:
    challenge = sip.parse_challenge('Digest realm="ims.test", nonce="a=b,c", algorithm=MD5, qop="auth,auth-int"')
    assert challenge == {"realm": "ims.test", "nonce": "a=b,c", "algorithm": "MD5", "qop": "auth,auth-int"}


def test_a_response_copies_the_headers_of_rfc_3261() -> None:
    answer = sip.make_response(sip.parse(REQUEST), 200, "OK", "t2")
    assert [name for name, _ in answer.headers] == ["via", "from", "to", "call-id", "cseq"]
    assert sip.parameter(answer.get("to"), "tag") == "t2"
