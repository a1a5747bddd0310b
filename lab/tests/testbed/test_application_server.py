"""The application server forwards statelessly, and fails the share that it is told to."""

from __future__ import annotations

import numpy as np

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.servers.application_server import ApplicationServer


def _server(failing: float = 0.0, silent: bool = False) -> ApplicationServer:
    return ApplicationServer(
        ("10.50.0.4", 5060), ("10.50.0.3", 5060), np.random.default_rng(1), failing=failing, silent=silent
    )


def _request(method: str, branch: str = "z9hG4bK1") -> sip.SipText:
    return sip.SipText(
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


def test_a_request_goes_back_along_its_route_and_its_cancel_by_the_same_branch() -> None:
    server = _server()
    (forwarded,) = server.handle(_request("INVITE"), "z9hG4bK1")
    assert forwarded.all("route") == ["<sip:mark@10.50.0.3;lr>"]
    assert len(forwarded.all("via")) == 2
    assert forwarded.get("max-forwards") == "69"
    (cancel,) = server.handle(_request("CANCEL"), "z9hG4bK1")
    assert cancel.branch == forwarded.branch


def test_a_response_loses_the_servers_via() -> None:
    server = _server()
    (forwarded,) = server.handle(_request("INVITE"), "z9hG4bK1")
    (answer,) = server.handle(sip.reply(forwarded, 180, "Ringing"), forwarded.branch)
    assert answer.all("via") == ["SIP/2.0/UDP 10.50.0.3;branch=z9hG4bK1"]


def test_failing_by_503_answers_repeats_alike_and_swallows_the_ack() -> None:
    server = _server(failing=1.0)
    for _ in range(2):
        (answer,) = server.handle(_request("INVITE"), "z9hG4bK1")
        assert answer.status == 503
    assert server.handle(_request("ACK"), "z9hG4bK1") == []
    (forwarded,) = server.handle(_request("MESSAGE", "z9hG4bK2"), "z9hG4bK2")
    assert forwarded.method == "MESSAGE"


def test_failing_by_silence_says_nothing() -> None:
    server = _server(failing=1.0, silent=True)
    assert server.handle(_request("INVITE"), "z9hG4bK1") == []
    assert server.handle(_request("CANCEL"), "z9hG4bK1") == []


def test_the_share_that_fails_is_the_one_asked_for() -> None:
    server = _server(failing=0.3)
    failed = sum(server.handle(_request("INVITE", f"z{n}"), f"z{n}")[0].status == 503 for n in range(3000))
    assert 0.27 < failed / 3000 < 0.33
