"""The application server forwards without state, and fails the configured share of requests."""

from __future__ import annotations

import numpy as np

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.servers.application_server import ApplicationServer


def _server(failing: float = 0.0, silent: bool = False) -> ApplicationServer:
    return ApplicationServer(
        ("10.50.0.4", 5060), ("10.50.0.3", 5060), np.random.default_rng(1), failing=failing, silent=silent
    )


def _request(method: str, branch: str = "z9hG4bK1") -> sip.SipPdu:
    return sip.SipPdu(
        method=method,
        uri="sip:b@ims.test",
        headers=[
            ("via", f"SIP/2.0/UDP 10.50.0.3;branch={branch}"),
            ("route", "<sip:10.50.0.4;lr>, <sip:mark@10.50.0.3;lr>"),
            ("max-forwards", "70"),
            ("from", "<sip:a@ims.test>;tag=1"),
            ("to", "<sip:b@ims.test>"),
            ("call-id", "c1"),
            ("cseq", f"1 {method}"),
        ],
    )


def test_a_request_and_its_cancel_return_with_the_same_branch() -> None:
    server = _server()
    (forwarded,) = server.handle(_request("INVITE"), "z9hG4bK1")
    assert forwarded.all("route") == ["<sip:mark@10.50.0.3;lr>"]
    assert len(forwarded.all("via")) == 2
    assert forwarded.get("max-forwards") == "69"
    (cancel,) = server.handle(_request("CANCEL"), "z9hG4bK1")
    assert cancel.branch == forwarded.branch


def test_the_via_of_the_server_is_removed_from_a_response() -> None:
    server = _server()
    (forwarded,) = server.handle(_request("INVITE"), "z9hG4bK1")
    (answer,) = server.handle(sip.make_response(forwarded, 180, "Ringing"), forwarded.branch)
    assert answer.all("via") == ["SIP/2.0/UDP 10.50.0.3;branch=z9hG4bK1"]


def test_failure_by_503_repeats_the_response_and_absorbs_the_ack() -> None:
    server = _server(failing=1.0)
    for _ in range(2):
        (answer,) = server.handle(_request("INVITE"), "z9hG4bK1")
        assert answer.status == 503
    assert server.handle(_request("ACK"), "z9hG4bK1") == []
    (forwarded,) = server.handle(_request("MESSAGE", "z9hG4bK2"), "z9hG4bK2")
    assert forwarded.method == "MESSAGE"


def test_silent_failure_sends_no_response() -> None:
    server = _server(failing=1.0, silent=True)
    assert server.handle(_request("INVITE"), "z9hG4bK1") == []
    assert server.handle(_request("CANCEL"), "z9hG4bK1") == []


def test_the_configured_share_fails() -> None:
    server = _server(failing=0.3)
    failed = sum(server.handle(_request("INVITE", f"z{n}"), f"z{n}")[0].status == 503 for n in range(3000))
    assert 0.27 < failed / 3000 < 0.33
