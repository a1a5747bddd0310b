"""Diameter as JSON: the fields make the same message as on the wire, and no bytes break the reader."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest
from captures import KEY, PCSCF, T0, UE, S
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.capture.agents.access import HepAddress
from faultprint.probe.capture.agents.diameter_json import BAD_DIAMETER, read_diameter
from faultprint.probe.capture.agents.source import NOT_SIP, HepSource
from faultprint.probe.capture.hep import HepError, HepPacket, encode
from faultprint.probe.capture.live import Listener
from faultprint.probe.core import Probe
from faultprint.probe.transactions.nodes import parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.tables import TRANSACTIONS

REQUEST: dict[str, Any] = {
    "type": "Request-Proxyable",
    "command": 265,
    "app-ID": 16777236,
    "hop-by-hop-ID": "1a2b3c",
    "end-to-end-ID": "ffffffff",
    "payload": {"session-id": "pcscf;1;2", "origin-host": "pcscf.example", "destination-host": "pcrf.example"},
}
ANSWER: dict[str, Any] = REQUEST | {"type": "Answer", "payload": {"session-id": "pcscf;1;2", "res-code": 5063}}


def read(value: object) -> Any:
    message = read_diameter(json.dumps(value).encode())
    message.read_avps()
    return message


def test_the_header_and_the_avps_are_read() -> None:
    message = read(REQUEST)
    assert (message.request, message.command, message.application) == (True, 265, 16777236)
    assert (message.hop_by_hop, message.end_to_end, message.session) == (0x1A2B3C, 0xFFFFFFFF, b"pcscf;1;2")
    assert message.defect is None
    named = read(REQUEST | {"payload": {"session-id": "s", "username": "a@home", "Public-Identity": "sip:b@home"}})
    assert named.subscriber == b"sip:b@home"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"res-code": 2001}, 2001),
        ({"res-code": "Success"}, 2001),
        ({"res-code": "Permanent Failure"}, 5000),
        ({"Result-Code": "5012"}, 5012),
        ({"exp-res-code": 5063}, 5063),
        ({"Experimental-Result": {"Vendor-Id": 10415, "Experimental-Result-Code": 5065}}, 5065),
        ({}, 0),
        ({"res-code": "fine"}, 0),
        ({"res-code": True}, 0),
        ({"res-code": 7}, 0),
    ],
)
def test_the_result_of_an_answer(result: dict[str, Any], status: int) -> None:
    message = read(ANSWER | {"payload": {"session-id": "s", **result}})
    assert (message.request, message.status) == (False, status)
    assert (message.defect is None) == (status > 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"1" * 5000,
        b"\xff\xfe{}",
        json.dumps(REQUEST | {"type": "Other"}).encode(),
        json.dumps(REQUEST | {"type": None}).encode(),
        json.dumps(REQUEST | {"command": 1 << 24}).encode(),
        json.dumps(REQUEST | {"command": "AA"}).encode(),
        json.dumps(REQUEST | {"app-ID": -1}).encode(),
        json.dumps(REQUEST | {"hop-by-hop-ID": "1ffffffff"}).encode(),
        json.dumps({name: value for name, value in REQUEST.items() if name != "hop-by-hop-ID"}).encode(),
    ],
)
def test_what_cannot_be_read_is_counted_by_its_reason(payload: bytes) -> None:
    with pytest.raises(HepError) as caught:
        read_diameter(payload)
    assert caught.value.reason == BAD_DIAMETER


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from([*REQUEST, "Result-Code", "exp-res", "username", "session-id"]), values))
def test_no_fields_raise_anything_else(fields: dict[str, Any]) -> None:
    for whole in (fields, REQUEST | fields, REQUEST | {"payload": fields}, ANSWER | fields):
        with contextlib.suppress(HepError):
            read_diameter(json.dumps(whole).encode()).read_avps()


def test_the_probe_pairs_request_and_answer() -> None:
    """Also if the answer is reported first, and with the plain message of another agent."""
    rows: list[Row] = []
    now = T0
    node, peer = parse_endpoint(PCSCF), parse_endpoint(UE)
    probe = Probe({"pcscf": [node]}, "lab", KEY, rows.append)
    place = HepAddress.parse("127.0.0.1:1")._replace(port=0)
    source = HepSource([place], {node: "pcscf"}, None, lambda: now)
    listener = Listener(probe, [source], ["pcscf"], lambda: now)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def report(fields: object, at: int, agent: int = 1, protocol: int = 56) -> None:
        ends = (node, peer) if fields is REQUEST else (peer, node)
        packet = HepPacket(at, *ends, 3868, 3868, protocol, json.dumps(fields).encode(), agent=agent)
        sender.sendto(encode(packet), ("127.0.0.1", source.ports[0]))

    report(ANSWER, now + 12_000)
    report(REQUEST, now)
    report(REQUEST, now + 60_000, agent=2)
    report({"type": "Request"}, now)
    report(REQUEST, now, protocol=57)
    for _ in range(10):
        now += S // 5
        listener.listen(0)
    probe.finish()
    source.close()
    sender.close()
    place_of = TRANSACTIONS.names.index
    assert [(row[place_of("method")], row[place_of("status")]) for row in rows] == [("AAR", 5063)]
    assert [row[place_of("retransmissions")] for row in rows] == [0]
    assert probe.skipped == {BAD_DIAMETER: 1, NOT_SIP: 1}
