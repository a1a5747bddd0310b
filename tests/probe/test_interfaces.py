"""The reference point of each leg: what the traffic shows of a peer, in many networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import MS, PCSCF, SCSCF, UE, S, chunk, ethernet, frames, pcap, probe, request, sctp, tcp, udp
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.messages.sip import SipMessage, read_datagram
from faultprint.probe.transactions.evidence import RequestTarget, from_core, from_equipment, is_routed

LATER = 60 * S
"""By then, every transaction of a test is complete; its row is written with the next message."""


def told(folder: Path, *messages: tuple[int, str, str, bytes], **more: object) -> list[object]:
    return probe(folder, pcap(frames(list(messages))), **more).column("interface")  # type: ignore[arg-type]


def text(method: str, number: int = 1, **more: object) -> bytes:
    return request(method, via=[f"h;branch=z9hG4bK{number}"], call=f"c{number}", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        "Record-Route: <sip:scscf.example.org;lr>",
        "record-route : <sip:scscf.example.org;lr>",
        "Path: <sip:term@pcscf.example.org;lr>",
        "P-Visited-Network-ID: example.org",
        "P-CHARGING-VECTOR: icid-value=1",
        "P-Charging-Function-Addresses: ccf=192.0.2.9",
        "P-Served-User: <sip:alice@ims.example.org>;sescase=orig",
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
def test_a_header_of_the_core_shows_a_core_host_behind_one_via(tmp_path: Path, method: str, header: str) -> None:
    assert told(tmp_path, (0, SCSCF, PCSCF, text(method, headers=[header]))) == ["Mw"]


@pytest.mark.parametrize(
    "header",
    [
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=1",
        "P-Preferred-Identity: <sip:alice@ims.example.org>",
        "security-verify: ipsec-3gpp;spi-c=1",
        'Proxy-Authorization: Digest username="alice"',
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY"])
def test_a_header_of_user_equipment_names_what_the_core_could_send_too(
    tmp_path: Path, method: str, header: str
) -> None:
    assert told(tmp_path, (0, UE, PCSCF, text(method, headers=[header]))) == ["Gm"]
    assert told(tmp_path, (0, UE, PCSCF, text(method))) == ["unknown"]


@pytest.mark.parametrize(
    ("event", "interface"),
    [("Event: reg", "Mw"), ("o:REG;id=1", "Mw"), ("Event: refer", "unknown"), ("o: reg1", "unknown")],
)
def test_the_s_cscf_notifies_of_registrations(tmp_path: Path, event: str, interface: str) -> None:
    assert told(tmp_path, (0, SCSCF, PCSCF, text("NOTIFY", tag="t", headers=[event]))) == [interface]


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "INFO", "PRACK", "INVITE", "REFER"])
def test_a_request_in_a_dialog_comes_from_its_first_hop(tmp_path: Path, method: str) -> None:
    assert told(tmp_path, (0, UE, PCSCF, text(method, tag="t"))) == ["Gm"]


def test_a_cancel_has_one_via_on_every_leg(tmp_path: Path) -> None:
    assert told(tmp_path, (0, SCSCF, PCSCF, text("CANCEL"))) == ["unknown"]


@pytest.mark.parametrize("method", ["INVITE", "BYE", "NOTIFY", "OPTIONS", "CANCEL"])
@pytest.mark.parametrize("route", ["Route: <sip:scscf.example.org;lr>", "ROUTE:<sip:10.0.1.1;lr>,<sip:b;lr>"])
def test_a_route_leads_to_a_proxy(tmp_path: Path, method: str, route: str) -> None:
    assert told(tmp_path, (0, PCSCF, SCSCF, text(method, headers=[route], uri="sip:bob@10.8.0.9"))) == ["Mw"]


@pytest.mark.parametrize(
    ("uri", "interface"),
    [
        (f"sip:bob@{UE}", "Gm"),
        (f"sip:{UE}:5099;transport=tcp", "Gm"),
        (f"sips:a;b=c@{UE}:6000;alias=192.0.2.1~5060~1", "Gm"),
        ("sip:x@df7jal23ls0d.invalid;transport=ws", "Gm"),
        ("sip:x@192.0.2.1;transport=WSS", "Gm"),
        (f"sip:+491512345@{UE};user=phone", "Mw"),
        ("tel:+491512345;phone-context=x", "Mw"),
        ("urn:service:sos", "Mw"),
        ("sip:bob@ims.example.org:5060", "Mw"),
        ("sip:01;phone-context=ims.example.org@ims.example.org.;user=phone", "Mw"),
        (f"sip:bob@{PCSCF}:5060", "Mw"),
        ("sip:bob@192.0.2.77", "unknown"),
        ("sip:", "unknown"),
        ("x:%00", "unknown"),
    ],
)
def test_the_request_uri_shows_whether_the_next_hop_is_the_last(tmp_path: Path, uri: str, interface: str) -> None:
    assert told(tmp_path, (0, PCSCF, UE, text("MESSAGE", uri=uri))) == [interface]


def test_in_a_dialog_a_domain_shows_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, (0, PCSCF, UE, text("BYE", tag="t", uri="sip:bob@phone.example.org"))) == ["unknown"]


def test_a_check_of_life_shows_nothing_but_is_named_when_the_peer_is_known(tmp_path: Path) -> None:
    check = text("OPTIONS", uri=f"sip:{UE}:5060")
    call = text("INVITE", 2, uri=f"sip:bob@{UE}:5060")
    assert told(tmp_path, (0, PCSCF, UE, check)) == ["unknown"]
    assert told(tmp_path, (0, PCSCF, UE, check), (MS, PCSCF, UE, call)) == ["Gm", "Gm"]
    other = text("OPTIONS", 3, uri="sip:10.8.0.2")
    late = [(0, PCSCF, UE, check), (LATER, PCSCF, "10.8.0.2", other), (2 * LATER, PCSCF, UE, call)]
    assert told(tmp_path, *late) == ["unknown", "unknown", "Gm"]


def test_later_evidence_names_only_the_leg_of_its_peer(tmp_path: Path) -> None:
    messages = [
        (0, PCSCF, UE, text("OPTIONS", uri=f"sip:{UE}:5060")),
        (MS, PCSCF, "10.8.0.2", text("OPTIONS", 2, uri="sip:10.8.0.2:5060")),
        (2 * MS, UE, PCSCF, text("REGISTER", 3)),
    ]
    assert told(tmp_path, *messages) == ["Gm", "unknown", "Gm"]


def test_a_peer_with_many_users_at_its_address_is_no_user_equipment(tmp_path: Path) -> None:
    trunk = [(n * LATER, PCSCF, SCSCF, text("INVITE", n, uri=f"sip:1000{n}@{SCSCF}")) for n in range(12)]
    assert told(tmp_path, *trunk) == ["Gm"] * 8 + ["Mw"] * 4
    ports = [(n * LATER, PCSCF, UE, text("INVITE", n, uri=f"sip:bob@{UE}:{5000 + n}")) for n in range(12)]
    assert told(tmp_path, *ports) == ["Gm"] * 12


def test_a_registration_corrects_a_route_that_somebody_forged(tmp_path: Path) -> None:
    forged = text("MESSAGE", headers=[f"Route: <sip:{UE};lr>"])
    messages = [(0, PCSCF, UE, forged), (LATER, UE, PCSCF, text("REGISTER", 2)), (2 * LATER, PCSCF, UE, forged)]
    assert told(tmp_path, *messages) == ["Mw", "Gm", "Gm"]


def test_user_equipment_that_has_a_domain_is_named_by_its_headers(tmp_path: Path) -> None:
    messages = [
        (0, PCSCF, UE, text("INVITE", uri="sip:bob@phone.example.org")),
        (LATER, UE, PCSCF, text("INVITE", 2, headers=["P-Preferred-Identity: <sip:bob@example.org>"])),
    ]
    assert told(tmp_path, *messages) == ["Mw", "Gm"]


def test_evidence_is_the_same_on_every_transport_and_port(tmp_path: Path) -> None:
    phone, node, core = "2001:db8::8", "2001:db8::1", "2001:db8::2"
    contact = request("INVITE", via=["h;branch=z9hG4bKa"], uri="sip:bob@[2001:db8:0::8]:40000")
    routed = request("INVITE", via=["h;branch=z9hG4bKb"], headers=["Route: <sip:[2001:db8::2];lr>"], call="c2")
    hung_up = request("BYE", via=["h;branch=z9hG4bKc"], tag="t", call="c3")
    packets = [
        (0, udp(node, phone, contact, (7000, 40_000))),
        (MS, tcp(node, phone, contact.replace(b"bKa", b"bKd"), 1, (7001, 40_001))),
        (2 * MS, sctp(node, core, chunk(1, routed, payload=0), ports=(7002, 38_412))),
        (3 * MS, sctp(phone, node, chunk(1, hung_up, payload=0), ports=(40_002, 7000), tag=9)),
    ]
    timed = [(1_700_000_000_000_000 + at, ethernet(packet)) for at, packet in packets]
    got = probe(tmp_path, pcap(timed), nodes=[f"p={node}"])
    assert got.column("interface") == ["Gm", "Gm", "Mw", "Gm"]


def test_two_functions_of_one_host_are_two_peers(tmp_path: Path) -> None:
    packets = [
        (0, udp(PCSCF, PCSCF, text("INVITE", 1, headers=["Route: <sip:s;lr>"]), (5060, 6060))),
        (MS, udp(PCSCF, PCSCF, text("INVITE", 2, uri=f"sip:bob@{PCSCF}:7070"), (5060, 7070))),
    ]
    timed = [(1_700_000_000_000_000 + at, ethernet(packet)) for at, packet in packets]
    got = probe(tmp_path, pcap(timed), nodes=[f"p={PCSCF}:5060"])
    assert got.column("interface") == ["Mw", "Gm"]


@given(uri=st.binary(max_size=80), header=st.binary(max_size=80))
def test_no_request_is_too_strange_to_be_read(uri: bytes, header: bytes) -> None:
    data = request("INVITE").replace(b"sip:ims.example.org", uri, 1).replace(b"Call-ID", header + b"\r\nCall-ID", 1)
    for message in (read_datagram(data, 0, len(data)), SipMessage(data, None)):
        if message is not None:
            target = RequestTarget(message)
            assert not (target.is_at(bytes(4)) and target.is_domain)
            assert [type(found(message)) for found in (from_core, from_equipment, is_routed)] == [bool] * 3


@pytest.mark.parametrize("size", [20_000, 40_000])
def test_a_hostile_request_uri_costs_linear_time(size: int) -> None:
    for part in (b"a:", b"a@", b"[", b";=", b"sip:x;y@"):
        data = b"INVITE sip:" + part * size + b" SIP/2.0\r\n\r\n"
        assert RequestTarget(SipMessage(data, None)).user is None or part.endswith(b"@")


def test_an_originating_call_whose_copy_at_the_phone_was_not_captured(tmp_path: Path) -> None:
    routed = text("INVITE", uri="tel:+491512345", headers=["Route: <sip:orig@scscf.example.org;lr>"])
    assert probe(tmp_path, pcap(frames([(0, PCSCF, SCSCF, routed)]))).column("method") == ["INVITE.originating"]
    contact = text("INVITE", uri=f"sip:bob@{UE}")
    assert probe(tmp_path, pcap(frames([(0, PCSCF, UE, contact)]))).column("method") == ["INVITE.terminating"]
