"""The HTTP sender against a real server on 127.0.0.1 that responds correctly, wrongly, or not at all."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import ssl
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.routes import ves_messages
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.endpoint import BasicAuth, ClientCertificate, Endpoint
from faultprint.publish.senders.http import HttpSender, outcome_of
from faultprint.publish.ves.event import VesSettings
from faultprint_lab.pages.publish import story

from .collector import Collector, answer, drips, hangs_up, is_silent, pours, says, serving
from .conftest import Pki

(MESSAGE,) = ves_messages(story()[0], VesSettings())
QUICK = Backoff(attempts=3, initial_s=0.25, max_s=2.0)
TIMEOUT_S = 0.5


class RecordingSender:
    """An HttpSender that records its pauses instead of waiting."""

    def __init__(self, collector: Collector, backoff: Backoff = QUICK, **endpoint: Any) -> None:
        scheme = endpoint.pop("scheme", "http")
        url = f"{scheme}://{endpoint.pop('host', '127.0.0.1')}:{collector.port}/root/"
        self.endpoint = Endpoint(url, **{"timeout_s": 5.0, **endpoint})
        self.pauses: list[float] = []
        rng = np.random.default_rng(5)
        self._sender = HttpSender(self.endpoint, backoff, rng, sleep=self.pauses.append)

    def send(self, message: Message = MESSAGE) -> Receipt:
        return self._sender.send(message)

    def close(self) -> None:
        self._sender.close()


def _send(collector: Collector, **endpoint: Any) -> Receipt:
    sender = RecordingSender(collector, **endpoint)
    try:
        return sender.send()
    finally:
        sender.close()


def test_an_event_arrives_completely() -> None:
    with serving(answer(202)) as collector:
        assert _send(collector, basic=BasicAuth("user", "pass:wörd")) == Receipt(
            DeliveryOutcome.DELIVERED, 1, 202, "202 Whatever"
        )
    (request,) = collector.requests
    assert request.line == "POST /root/eventListener/v7 HTTP/1.1"
    assert request.body == MESSAGE.body and json.loads(request.body)["event"]["faultFields"]
    credentials = base64.b64encode("user:pass:wörd".encode()).decode()
    wanted = {
        "host": f"127.0.0.1:{collector.port}",
        "authorization": f"Basic {credentials}",
        "content-type": "application/json",
        "idempotency-key": MESSAGE.id,
        "x-minorversion": "2",
    }
    assert wanted.items() <= request.headers.items()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    assert outcome_of(status) is DeliveryOutcome.DELIVERED


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_failure_is_retried(status: int) -> None:
    with serving(answer(status, b"busy"), answer(status), answer(202)) as collector:
        sender = RecordingSender(collector)
        assert sender.send() == Receipt(DeliveryOutcome.DELIVERED, 3, 202, "202 Whatever")
        sender.close()
    assert len(collector.requests) == 3
    assert {request.headers["idempotency-key"] for request in collector.requests} == {MESSAGE.id}
    assert len(sender.pauses) == 2


def test_retries_are_limited_and_their_pauses_depend_on_the_seed() -> None:
    with serving(answer(500, b'{"requestError": "no\x00\n"}')) as collector:
        senders = [RecordingSender(collector, Backoff(attempts=5, initial_s=1.0, max_s=3.0)) for _ in range(2)]
        for sender in senders:
            assert sender.send() == Receipt(DeliveryOutcome.RETRY, 5, 500, '500 Whatever: {"requestError": "no "}')
            sender.close()
    assert len(collector.requests) == 10
    assert senders[0].pauses == senders[1].pauses and len(set(senders[0].pauses)) == 4
    assert all(0 <= pause <= limit for pause, limit in zip(senders[0].pauses, (1, 2, 3, 3), strict=True))


def test_retry_after_is_honoured_within_limits() -> None:
    with serving(answer(429, b"", "Retry-After: 2"), answer(503, b"", "Retry-After: 99999"), answer(202)) as collector:
        sender = RecordingSender(collector)
        assert sender.send().outcome is DeliveryOutcome.DELIVERED
        sender.close()
    assert sender.pauses == [2.0, 2.0]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, DeliveryOutcome.REJECTED) for status in (400, 409, 410, 413, 415, 422, 431)),
        *((status, DeliveryOutcome.REFUSED) for status in (401, 403, 404, 405, 407)),
    ],
)
def test_a_permanent_failure_is_not_retried(status: int, outcome: DeliveryOutcome) -> None:
    with serving(answer(status, b"why not")) as collector:
        assert _send(collector) == Receipt(outcome, 1, status, f"{status} Whatever: why not")
    assert len(collector.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(status: int) -> None:
    with serving(answer(202)) as other:
        location = f"Location: http://127.0.0.1:{other.port}/elsewhere"
        with serving(answer(status, b"", location)) as collector:
            assert _send(collector).outcome is DeliveryOutcome.REFUSED
        assert len(collector.requests) == 1
    assert other.connections == 0


HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n"

BAD = {
    "no response": is_silent,
    "closes": hangs_up,
    "ends in the status line": says(b"HTTP/1.1 2"),
    "not HTTP": says(b"\x16\x03\x01 nonsense\r\n\r\n" * 50),
    "invalid status": says(b"HTTP/1.1 abc\r\n\r\n"),
    "endless status line": pours([], b"", b"H" * 65_536, 200),
    "endless headers": pours([], b"HTTP/1.1 202 Accepted\r\n", b"X: y\r\n" * 1000, 200),
    "endless header": pours([], b"HTTP/1.1 202 Accepted\r\nX: ", b"y" * 65_536, 200),
    "drips its status line": drips([bytes([byte]) for byte in b"HTTP/1.1 202 Accepted\r\n"]),
    "drips its headers": drips(itertools.chain([b"HTTP/1.1 202 Accepted\r\n"], [b"X: y\r\n"] * 100)),
    "only ever continues": drips([b"HTTP/1.1 100 Continue\r\n\r\n"] * 100),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_response_takes_bounded_time_and_is_retried(name: str) -> None:
    with serving(BAD[name]) as collector:
        started = time.monotonic()
        sender = RecordingSender(collector, Backoff(attempts=2, initial_s=0.1), timeout_s=TIMEOUT_S)
        receipt = sender.send()
        elapsed = time.monotonic() - started
        sender.close()
    assert (receipt.outcome, receipt.attempts, receipt.status) == (DeliveryOutcome.RETRY, 2, None)
    assert receipt.detail.isprintable() and 0 < len(receipt.detail) <= 200
    assert elapsed < 2 * TIMEOUT_S + 3  # two attempts, on a machine that may be busy
    assert len(collector.requests) == 2


INCOMPLETE_BODY = {
    "the body ends early": says(HEAD + b"x" * 10),
    "the chunks end early": says(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "invalid chunks": says(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab"),
    "the body drips": drips(itertools.chain([HEAD], [b"x"] * 100)),
}


@pytest.mark.parametrize("name", INCOMPLETE_BODY)
def test_a_status_counts_even_if_the_body_is_incomplete(name: str) -> None:
    with serving(INCOMPLETE_BODY[name], answer(202)) as collector:
        sender = RecordingSender(collector, timeout_s=TIMEOUT_S)
        first, second = sender.send(), sender.send()
        sender.close()
    assert (first.outcome, first.attempts, first.status) == (DeliveryOutcome.DELIVERED, 1, 202)
    assert second == Receipt(DeliveryOutcome.DELIVERED, 1, 202, "202 Whatever")
    assert [request.connection for request in collector.requests] == [1, 2]


def test_an_error_with_an_incomplete_body_is_still_an_error() -> None:
    with serving(says(b"HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nhalf")) as collector:
        receipt = _send(collector)
    assert (receipt.outcome, receipt.status, receipt.attempts) == (DeliveryOutcome.RETRY, 500, 3)


@pytest.mark.parametrize("head", [b"Content-Length: 52428800", b"Transfer-Encoding: chunked", b"X: until closed"])
def test_only_the_beginning_of_a_huge_response_is_read(head: bytes) -> None:
    sent: list[int] = []
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if b"chunked" in head else b"x" * 65_536
    act = pours(sent, b"HTTP/1.1 202 Accepted\r\n" + head + b"\r\n\r\n", piece, 800)
    with serving(act) as collector:
        receipt = _send(collector, max_response_bytes=10_000)
    assert receipt.outcome is DeliveryOutcome.DELIVERED
    assert len(receipt.detail) <= 512
    # What was sent is in the buffers of the two kernels; most of the 50 MB was never sent.
    assert sum(sent) < 16_000_000


def test_a_connection_is_used_again() -> None:
    with serving(answer(202, b"thank you")) as collector:
        sender = RecordingSender(collector)
        assert [sender.send().attempts for _ in range(5)] == [1] * 5
        sender.close()
    assert collector.connections == 1 and len(collector.requests) == 5


def test_an_idle_connection_that_was_closed_is_not_a_failure() -> None:
    with serving(answer(202), answer(202, keep=False), says(HEAD.replace(b"1000", b"0")), answer(202)) as collector:
        sender = RecordingSender(collector)
        for _ in range(4):
            assert sender.send() == replace(
                Receipt(DeliveryOutcome.DELIVERED, 1, 202), detail=expected_detail(collector)
            )
            time.sleep(0.05)
        sender.close()
    assert sender.pauses == []
    assert [request.connection for request in collector.requests] == [1, 1, 2, 3]


def expected_detail(collector: Collector) -> str:
    return "202 Accepted" if len(collector.requests) == 3 else "202 Whatever"


def test_a_closed_port_is_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    receipt = _send(Collector([], port=port))
    assert (receipt.outcome, receipt.attempts) == (DeliveryOutcome.RETRY, 3)
    assert "Connection refused" in receipt.detail


def test_a_stopped_collector_is_retried() -> None:
    with serving(answer(202)) as collector:
        sender = RecordingSender(collector)
        assert sender.send().outcome is DeliveryOutcome.DELIVERED
    assert sender.send().outcome is DeliveryOutcome.RETRY
    sender.close()


def test_tls(pki: Pki) -> None:
    with serving(answer(202), context=pki.server()) as collector:
        sender = RecordingSender(
            collector, scheme="https", ca_file=pki.file("authority.pem"), basic=BasicAuth("u", "p")
        )
        assert [sender.send().outcome for _ in range(3)] == [DeliveryOutcome.DELIVERED] * 3
        sender.close()
    assert collector.connections == 1 and collector.requests[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("host", "authority"), [("127.0.0.1", "other.pem"), ("localhost", "authority.pem"), ("127.0.0.1", None)]
)
def test_a_receiver_with_a_wrong_certificate_gets_nothing(pki: Pki, host: str, authority: str | None) -> None:
    with serving(answer(202), context=pki.server()) as collector:
        receipt = _send(collector, scheme="https", host=host, ca_file=pki.file(authority) if authority else None)
    assert (receipt.outcome, receipt.attempts) == (DeliveryOutcome.REFUSED, 1)
    assert "CERTIFICATE_VERIFY_FAILED" in receipt.detail
    assert collector.requests == []


@pytest.mark.parametrize(("key", "password"), [("client.key", ""), ("locked.key", "geheim")])
def test_a_client_certificate(pki: Pki, key: str, password: str) -> None:
    certificate = ClientCertificate(pki.file("client.pem"), pki.file(key), password)
    with serving(answer(202), context=pki.server(requires_client=True)) as collector:
        receipt = _send(collector, scheme="https", ca_file=pki.file("authority.pem"), certificate=certificate)
    assert receipt.outcome is DeliveryOutcome.DELIVERED
    assert "client" in collector.requests[0].subject
    assert "geheim" not in repr(certificate)


def test_without_the_required_client_certificate(pki: Pki) -> None:
    context = pki.server(requires_client=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(answer(202), context=context) as collector:
        receipt = _send(collector, scheme="https", ca_file=pki.file("authority.pem"))
    assert (receipt.outcome, receipt.attempts) == (DeliveryOutcome.REFUSED, 1)
    assert collector.requests == []


def test_without_the_required_client_certificate_in_tls_1_3(pki: Pki) -> None:
    with serving(answer(202), context=pki.server(requires_client=True)) as collector:
        receipt = _send(collector, scheme="https", ca_file=pki.file("authority.pem"))
    # The alert arrives after our request was sent. A connection reset after it can hide it, in any attempt.
    assert receipt.outcome is DeliveryOutcome.REFUSED or (receipt.outcome, receipt.attempts) == (
        DeliveryOutcome.RETRY,
        3,
    )
    assert collector.requests == []


def test_a_certificate_file_that_becomes_invalid_is_a_refusal_and_not_a_crash(pki: Pki, tmp_path: Any) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_bytes(pki.file("authority.pem").read_bytes())
    with serving(answer(202), context=pki.server()) as collector:
        sender = RecordingSender(collector, scheme="https", ca_file=authority)
        authority.write_text("half-written")
        refused = sender.send()
        authority.write_bytes(pki.file("authority.pem").read_bytes())
        delivered = sender.send()
        sender.close()
    assert (refused.outcome, refused.attempts) == (DeliveryOutcome.REFUSED, 1)
    assert delivered.outcome is DeliveryOutcome.DELIVERED


def test_a_handshake_that_never_ends_takes_bounded_time(pki: Pki) -> None:
    with serving(is_silent) as collector:  # does not speak TLS and waits for a request
        started = time.monotonic()
        sender = RecordingSender(
            collector, Backoff(1), scheme="https", ca_file=pki.file("authority.pem"), timeout_s=TIMEOUT_S
        )
        assert sender.send().outcome is DeliveryOutcome.RETRY
        assert time.monotonic() - started < TIMEOUT_S + 3
        sender.close()
