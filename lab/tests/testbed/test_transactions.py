"""The transaction layer follows the timers and retransmission rules of RFC 3261."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.protocols.transactions import ServerTransaction, SipTimers, TransactionLayer


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Future:
    """The parts of a future that the layer needs, without a running loop."""

    def __init__(self) -> None:
        self.value: Any = ...

    def done(self) -> bool:
        return self.value is not ...

    def set_result(self, value: Any) -> None:
        self.value = value


class Loop:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now, self._due, self._count = 0.0, [], 0  # type: ignore[var-annotated]

    def time(self) -> float:
        return self.now

    def create_future(self) -> Future:
        return Future()

    def call_at(self, time: float, callback: Callable[..., Any], *arguments: Any) -> Handle:
        handle = Handle()
        self._count += 1
        heapq.heappush(self._due, (time, self._count, handle, callback, arguments))
        return handle

    def call_later(self, wait: float, callback: Callable[..., Any], *arguments: Any) -> Handle:
        return self.call_at(self.now + wait, callback, *arguments)

    def run_until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            self.now, _, handle, callback, arguments = heapq.heappop(self._due)
            if not handle.cancelled:
                callback(*arguments)
        self.now = end


class Bench:
    def __init__(self) -> None:
        self.loop = Loop()
        self.sent: list[tuple[float, bytes]] = []
        self.servers: list[ServerTransaction] = []
        self.layer = TransactionLayer(
            lambda source, data: self.sent.append((self.loop.now, data)),
            SipTimers(),
            self.loop,  # type: ignore[arg-type]
            self.servers.append,
        )

    def times(self) -> list[float]:
        return [round(time, 3) for time, _ in self.sent]


def _request(method: str, branch: str = "z9hG4bK1") -> sip.SipPdu:
    return sip.SipPdu(
        method=method,
        uri="sip:b@ims.test",
        headers=[
            ("via", f"SIP/2.0/UDP 10.64.0.1:5060;branch={branch}"),
            ("from", "<sip:a@ims.test>;tag=1"),
            ("to", "<sip:b@ims.test>"),
            ("call-id", "c1"),
            ("cseq", f"1 {method}"),
        ],
    )


def test_a_non_invite_request_is_repeated_by_timers_e_and_f() -> None:
    bench = Bench()
    client = bench.layer.request("10.64.0.1", _request("REGISTER"))
    bench.loop.run_until(40)
    assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert client.final.value is None  # type: ignore[attr-defined]


def test_an_invite_is_repeated_by_timers_a_and_b() -> None:
    bench = Bench()
    client = bench.layer.request("10.64.0.1", _request("INVITE"))
    bench.loop.run_until(40)
    assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert client.final.value is None  # type: ignore[attr-defined]


def test_a_provisional_response_stops_the_retransmission_of_an_invite() -> None:
    bench = Bench()
    request = _request("INVITE")
    client = bench.layer.request("10.64.0.1", request)
    bench.layer.receive("10.64.0.1", sip.make_response(request, 180, "Ringing").encode())
    bench.loop.run_until(100)
    assert len(bench.sent) == 1
    assert not client.final.done()


def test_every_copy_of_an_error_response_is_acknowledged() -> None:
    bench = Bench()
    request = _request("INVITE")
    client = bench.layer.request("10.64.0.1", request)
    answer = sip.make_response(request, 486, "Busy Here", "t2").encode()
    bench.layer.receive("10.64.0.1", answer)
    bench.layer.receive("10.64.0.1", answer)
    acks = [sip.parse(data) for _, data in bench.sent[1:]]
    assert [ack.method for ack in acks] == ["ACK", "ACK"]
    assert acks[0].branch == request.branch
    assert sip.parameter(acks[0].get("to"), "tag") == "t2"
    assert client.final.value.status == 486  # type: ignore[attr-defined]


def test_a_repeated_request_gets_the_same_response_and_no_second_server() -> None:
    bench = Bench()
    data = _request("MESSAGE").encode()
    bench.layer.receive("10.64.0.2", data)
    bench.servers[0].respond(sip.make_response(bench.servers[0].request, 200, "OK"))
    bench.layer.receive("10.64.0.2", data)
    assert len(bench.servers) == 1
    assert bench.sent[0][1] == bench.sent[1][1]


def test_a_final_response_to_an_invite_is_repeated_until_the_ack() -> None:
    bench = Bench()
    bench.layer.receive("10.64.0.2", _request("INVITE").encode())
    bench.servers[0].respond(sip.make_response(bench.servers[0].request, 200, "OK", "t2"))
    bench.loop.run_until(4)
    assert bench.times() == [0, 0.5, 1.5, 3.5]
    ack = _request("ACK", "z9hG4bKother")
    bench.layer.receive("10.64.0.2", ack.encode())
    bench.loop.run_until(60)
    assert len(bench.sent) == 4
    assert bench.servers[0].acknowledged


def test_garbage_is_counted() -> None:
    bench = Bench()
    bench.layer.receive("10.64.0.2", b"\x00\xff")
    bench.layer.receive("10.64.0.2", b"SIP/2.0 200 OK\r\n\r\n")
    assert bench.layer.counts["malformed"] == 2
