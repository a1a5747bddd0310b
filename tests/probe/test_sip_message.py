"""Reading SIP: start lines, headers in every spelling, and the torture messages of RFC 4475 and RFC 5118 in kind."""

# ruff: noqa: E501 (messages are easier to read unbroken)

from __future__ import annotations

import time
from pathlib import Path

import pytest
from captures import MS, PCSCF, T0, UE, frames, pcap, probe, request, response
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.messages.sip import SipMessage, read_datagram, tag_of
from faultprint.probe.messages.sip_header import CALL_ID, CONTACT, FROM, TO, VIA


def read(text: str | bytes) -> SipMessage:
    data = text.encode() if isinstance(text, str) else text
    message = read_datagram(data, 0, len(data))
    assert message is not None
    return message


PLAIN = (
    "OPTIONS sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h1:5060;branch=z9hG4bKx;rport\r\n{more}From: <sip:a@b>;tag=f\r\n"
    "To: <sip:c@d>\r\nCall-ID: one@two\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)

SAME = {
    "plain": PLAIN.format(more=""),
    "compact": "OPTIONS sip:u@example.com SIP/2.0\r\nv: SIP/2.0/UDP h1:5060;branch=z9hG4bKx\r\nf: <sip:a@b>;tag=f\r\nt: <sip:c@d>\r\n"
    "i: one@two\r\nCSeq: 7 OPTIONS\r\nl: 0\r\n\r\n",
    "odd case and blanks": "OPTIONS sip:u@example.com SIP/2.0\r\nVIA  :  SIP / 2.0 / UDP   h1:5060 ; BRANCH = z9hG4bKx\r\nfROM:<sip:a@b> ; tag = f\r\n"
    "tO\t: <sip:c@d>\r\nCALL-ID : one@two  \r\ncseq:\t0007\t OPTIONS\r\nContent-length :   0\r\n\r\n",
    "folded": "OPTIONS sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/UDP\r\n h1:5060;\r\n\tbranch=z9hG4bKx\r\nFrom:\r\n <sip:a@b>;tag=f\r\n"
    "To: <sip:c@d>\r\nCall-ID:\r\n one@two\r\nCSeq: 7\r\n  OPTIONS\r\nContent-Length: 0\r\n\r\n",
    "many Via values": "OPTIONS sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h1:5060;branch=z9hG4bKx, SIP/2.0/TCP h2;branch=z9hG4bKy\r\n"
    "v: SIP/2.0/UDP h3;branch=z9hG4bKz\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: one@two\r\nCSeq: 7 OPTIONS\r\n\r\n",
    "a compact Via before a long one": "OPTIONS sip:u@example.com SIP/2.0\r\nSubject: x\r\nv: SIP/2.0/UDP h1:5060;branch=z9hG4bKx\r\n"
    "Via: SIP/2.0/UDP h2;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: one@two\r\nCSeq: 7 OPTIONS\r\n\r\n",
    "Via after the others": "OPTIONS sip:u@example.com SIP/2.0\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCSeq: 7 OPTIONS\r\n"
    "Call-ID: one@two\r\nVia: SIP/2.0/UDP h1:5060;branch=z9hG4bKx\r\n\r\n",
    "a quoted comma": "OPTIONS sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h1:5060;x=\"a,b;branch=z9hG4bKno\";branch=z9hG4bKx\r\n"
    "From: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: one@two\r\nCSeq: 7 OPTIONS\r\n\r\n",
    "bare line feeds": PLAIN.format(more="").replace("\r\n", "\n"),
    "blank lines before": "\r\n\r\n" + PLAIN.format(more=""),
    "bytes that are no text": PLAIN.format(more="Subject: \x00\xff\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_one_message_in_many_spellings(name: str) -> None:
    message = read(SAME[name])
    assert message.identify()
    assert message.defect is None
    assert message.via == (b"h1:5060", b"z9hg4bkx")
    assert (message.method, message.cseq, message.cseq_method, message.call_id) == (
        b"OPTIONS",
        7,
        b"OPTIONS",
        b"one@two",
    )
    assert (message.sender.startswith(b"<sip:a@b>"), tag_of(message.sender)) == (True, b"f")
    assert message.receiver == b"<sip:c@d>"
    assert message.forwarded is ("many" in name or "before a long" in name)


# The kinds of RFC 4475 (torture messages) and RFC 5118 (IPv6), written anew; True where a transaction must come of it.
TORTURE: dict[str, tuple[str, bool, str | None]] = {
    "3.1.1.1 a short tortuous INVITE": (
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
        'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\n'
        "Content-Length   : 0\r\ncseq: 0009\r\n  INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n"
        "NewFangledHeader:   newfangled value\r\n continued newfangled value\r\nUnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
        'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n',
        True, None,
    ),
    "3.1.1.2 wide range of characters": (
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
        "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\nTo: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n"
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"x\";tag=_token~1'+`*%!-.\r\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
        "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\nContent-Length: 0\r\n\r\n",
        True, None,
    ),
    "3.1.1.8 extra trailing octets": (PLAIN.format(more="") + "INVITE sip:x SIP/2.0\r\nmore\r\n", True, None),
    "3.1.1.13 no Contact, long values": (PLAIN.format(more="Subject: " + "x" * 20000 + "\r\n"), True, None),
    "3.1.2.1 extraneous separators": (PLAIN.format(more="").replace("h1:5060;branch=z9hG4bKx;rport", "h1:5060;;,;,,"), True, None),
    "3.1.2.2 Content-Length larger than message": (PLAIN.format(more="").replace("Length: 0", "Length: 9999"), True, "Content-Length"),
    "3.1.2.3 negative Content-Length": (PLAIN.format(more="").replace("Length: 0", "Length: -999"), True, "Content-Length"),
    "3.1.2.4 scalars out of range": (PLAIN.format(more="").replace("CSeq: 7", "CSeq: 36893488147419103232"), False, "CSeq"),
    "3.1.2.6 unterminated quote": (PLAIN.format(more="").replace("<sip:c@d>", '"Mr. J. User <sip:c@d>'), True, None),
    "3.1.2.7 <> around the request URI": (PLAIN.format(more="").replace("sip:u@example.com SIP", "<sip:u@example.com> SIP"), False, "start line"),
    "3.1.2.8 blanks in the request URI": (PLAIN.format(more="").replace("u@example.com SIP", "u@example.com; lr SIP"), False, "start line"),
    "3.1.2.9 several blanks in the request line": (PLAIN.format(more="").replace("OPTIONS sip:u@example.com SIP", "OPTIONS  sip:u@example.com  SIP"), False, "start line"),
    "3.1.2.10 blanks at the end of the request line": (PLAIN.format(more="").replace("SIP/2.0\r\nVia", "SIP/2.0  \r\nVia"), False, "start line"),
    "3.1.2.16 unknown protocol version": (PLAIN.format(more="").replace("com SIP/2.0", "com SIP/7.0"), False, "start line"),
    "3.1.2.17 CSeq method differs": (PLAIN.format(more="").replace("7 OPTIONS", "7 INVITE"), False, "CSeq"),
    "3.1.2.19 overlarge response code": ("SIP/2.0 4294967301 better not break the receiver\r\n\r\n", False, "start line"),
    "3.3.1 missing required headers": ("INVITE sip:user@example.com SIP/2.0\r\nCSeq: 193942 INVITE\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKk\r\n\r\n", False, "From"),
    "3.3.2 unknown scheme": (PLAIN.format(more="").replace("sip:u@example.com", "nobodyKnowsThisScheme:totallyopaque"), True, None),
    "3.3.8 several values where one is due": (PLAIN.format(more="CSeq: 59 INVITE\r\nCall-ID: other\r\nFrom: <sip:z@z>\r\n"), False, "CSeq"),
    "3.3.9 several Content-Length values": (PLAIN.format(more="Content-Length: 13\r\n"), True, None),
    "no end of the header": (PLAIN.format(more="")[:-2], True, "header without end"),
    "no Via": (PLAIN.format(more="").replace("Via", "Vie"), False, "Via"),
    "no Call-ID": (PLAIN.format(more="").replace("Call-ID", "Call"), False, "Call-ID"),
    "no To": (PLAIN.format(more="").replace("To:", "So:"), False, "To"),
    "RFC 5118 IPv6 references": (PLAIN.format(more="").replace("h1:5060;branch=z9hG4bKx;rport", "[2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3-111"), True, None),
    "RFC 5118 IPv6 without brackets": (PLAIN.format(more="").replace("h1:5060;branch=z9hG4bKx;rport", "2001:db8::9:1;received=2001:db8:0:0::1;branch=z9hG4bKas3"), True, None),
}  # fmt: skip


@pytest.mark.parametrize("name", TORTURE)
def test_torture(tmp_path: Path, name: str) -> None:
    text, usable, reason = TORTURE[name]
    good = request("MESSAGE", via=["h;branch=z9hG4bKgood"])
    data = text.encode("latin-1")
    got = probe(
        tmp_path, pcap(frames([(0, UE, PCSCF, data), (MS, UE, PCSCF, good), (2 * MS, PCSCF, UE, response(200, good))]))
    )
    assert got.report.messages == 3
    assert got.report.malformed == ({reason: 1} if reason else {})
    assert got.report.transactions == 1 + usable
    assert [status for status in got.column("status") if status] == [200]


def test_start_lines() -> None:
    for line in (
        b"GET /sip HTTP/1.1\r\n",
        b"REGISTER\r\n",
        b"SIP/2.0",
        b"\x80SIP/2.0 200 OK\r\n",
        b"RTSP/1.0 200 OK\r\n",
        b"",
        b"\r\n",
    ):
        assert read_datagram(line, 0, len(line)) is None
    status = read(b"SIP/2.0 200 \r\n\r\n")
    assert (status.status, status.method) == (200, None)


def test_surplus_bytes_are_no_part_of_the_message() -> None:
    text = request("MESSAGE", body="hello")
    assert read(text + b"surplus").size == len(text)
    assert read(text[:-2]).defect == "Content-Length"


def test_tags_are_the_headers_not_the_uris() -> None:
    assert tag_of(b"<sip:a@b;tag=no>;tag=yes") == b"yes"
    assert tag_of(b"<sip:a@b;tag=no>") is None
    assert tag_of(b"sip:a@b;tag=x;y") == b"x"
    assert tag_of(b'"a;tag=no" <sip:a@b>;TAG = x') == b"x"


def test_header_access() -> None:
    message = read(PLAIN.format(more="Contact: <sip:1>\r\nm: <sip:2>\r\n"))
    assert message.all(CONTACT) == [b"<sip:1>", b"<sip:2>"]
    assert message.get(TO) == b"<sip:c@d>"
    assert message.get(FROM) == b"<sip:a@b>;tag=f"
    assert message.get(CALL_ID) == b"one@two"
    assert message.all(VIA) == [b"SIP/2.0/UDP h1:5060;branch=z9hG4bKx;rport"]


HEAD = b"INVITE sip:x SIP/2.0\r\n"
HOSTILE = [
    HEAD + b"Via: SIP/2.0/UDP " + b"a" * 60_000 + b"\r\n\r\n",
    HEAD + b"Via: SIP/2.0/UDP h" + b";x" * 30_000 + b"\r\n\r\n",
    HEAD + b"Via: SIP/2.0/UDP h;x=" + b'\\"' * 30_000 + b"\r\n\r\n",
    HEAD + b'Via: SIP/2.0/UDP h;x="' + b'\\"' * 30_000 + b"\r\n\r\n",
    HEAD + b"Via: SIP/2.0/UDP h;\r\n " + b" " * 60_000 + b"\r\n\r\n",
    HEAD + b"Via" + b" " * 60_000 + b"\r\n\r\n",
    HEAD + b"To: a\n" * 10_000 + b"\r\n\r\n",
    HEAD + b"Via: SIP/2.0/UDP h\r\n" * 3000 + b"\r\n",
    HEAD
    + b"Via: SIP/2.0/UDP h\r\nFrom: <sip:a>"
    + b";  " * 20_000
    + b"\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    HEAD
    + b"Via: SIP/2.0/UDP h\r\nFrom: sip:"
    + b"<" * 60_000
    + b"\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    b"INVITE sip:" + b"x" * 60_000,
    b"a " * 30_000 + b"SIP/2.",
    b"SIP/2.0 200 " + b" " * 60_000,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_message_costs_no_more_than_its_length(number: int) -> None:
    data = HOSTILE[number]
    begin = time.process_time()
    for _ in range(5):
        message = read_datagram(data, 0, len(data))
        if message is not None and message.identify():
            assert isinstance(message.forwarded, bool)
            tag_of(message.sender)
    # Work that grows with the square of the length takes minutes.
    assert time.process_time() - begin < 2


TEXTS = [text.encode("latin-1") for text, *_ in TORTURE.values()] + [text.encode("latin-1") for text in SAME.values()]


@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=4)), max_size=8),
    st.integers(0, 3000),
)
def test_no_message_stops_the_reader(text: bytes, changes: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(text)
    for at, piece in changes:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    found = read_datagram(bytes(data), 0, cut if cut % 2 else len(data))
    if found is not None and found.identify():
        assert found.via
        assert found.cseq_method
        assert found.size <= len(data)
        assert found.forwarded in (True, False)


@given(st.lists(st.sampled_from(sorted(SAME)), min_size=1, max_size=4))
def test_spelling_does_not_change_the_transaction(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """The same request again, differently written, is a retransmission."""
    folder = tmp_path_factory.getbasetemp()
    messages = [(number * 500 * MS, UE, PCSCF, SAME[name].encode("latin-1")) for number, name in enumerate(names)]
    got = probe(folder, pcap(frames(messages)))
    assert got.report.transactions == 1
    assert got.report.retransmissions == len(names) - 1
    assert T0
