"""HEP over TCP and TLS on real sockets: pieces, several packets at once, and clients that send garbage or nothing."""

from __future__ import annotations

import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from captures import PCSCF, T0, UE, S, request
from tests.publish.conftest import Pki
from tests.publish.conftest import pki as pki

from faultprint.probe.capture.agents import stream
from faultprint.probe.capture.agents.access import HepAddress, HepOptions, parse_networks
from faultprint.probe.capture.agents.source import NOT_LISTED, WRONG_KEY, HepSource
from faultprint.probe.capture.hep import HepPacket, encode
from faultprint.probe.transactions.nodes import parse_endpoint

NODE, PEER = parse_endpoint(PCSCF), parse_endpoint(UE)
WAIT = 5.0


def packet(number: int, key: bytes = b"") -> bytes:
    message = request("OPTIONS", via=(f"10.8.0.1:5060;branch=z9hG4bK{number}",), call=f"call-{number}")
    return encode(HepPacket(T0, PEER, NODE, 5060, 5060, 1, message, agent=7, key=key))


class Server:
    """A source on a free port of this machine, by a clock that the test moves."""

    def __init__(self, transport: str, options: HepOptions | None = None) -> None:
        self.now_us = T0
        self.skipped: Counter[str] = Counter()
        address = HepAddress.parse(f"{transport}://127.0.0.1:1")._replace(port=0)
        self.source = HepSource([address], {NODE: "pcscf"}, options, lambda: self.now_us)
        self.clients: list[socket.socket] = []
        self.context: ssl.SSLContext | None = None

    def connect(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.source.ports[0]), WAIT)
        self.clients.append(plain)
        return plain

    def agent(self) -> socket.socket:
        """A client that is ready to send; with TLS after the handshake."""
        plain = self.connect()
        if self.context is None:
            return plain
        plain.setblocking(False)
        client = self.context.wrap_socket(plain, server_hostname="127.0.0.1", do_handshake_on_connect=False)
        self.clients.append(client)

        def shaken() -> bool:
            try:
                client.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            return True

        self.until(shaken)
        client.settimeout(WAIT)
        return client

    @property
    def messages(self) -> int:
        return sum(status.messages for status in self.source.agents.statuses())

    def until(self, true: Callable[[], bool]) -> None:
        """Read until something is true."""
        end = time.monotonic() + WAIT
        while not true():
            assert time.monotonic() < end, (self.messages, self.skipped)
            self.source.read(self.skipped)
            time.sleep(0.001)

    def closed(self, client: socket.socket) -> bool:
        """Whether the server has closed the connection of this client."""
        client.settimeout(0.001)
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.source.close()
        for client in self.clients:
            client.close()


@pytest.fixture(params=["tcp", "tls"])
def server(request: pytest.FixtureRequest, pki: Pki) -> Iterator[Callable[..., Server]]:
    """server(key=…, agents=…): over TCP, then over TLS."""
    opened: list[Server] = []

    def make(**options: Any) -> Server:
        made = Server(
            request.param,
            replace(HepOptions(certificate=pki.file("server.pem"), certificate_key=pki.file("server.key")), **options),
        )
        if request.param == "tls":
            made.context = ssl.create_default_context(cafile=str(pki.file("authority.pem")))
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.close()


Make = Callable[..., Server]


def test_a_packet_in_pieces_is_one_message(server: Make) -> None:
    here = server()
    agent, wire = here.agent(), packet(1)
    for at in (3, 5, 60, len(wire) - 1):
        start = {3: 0, 5: 3, 60: 5, len(wire) - 1: 60}[at]
        agent.sendall(wire[start:at])
        here.source.read(here.skipped)
    assert here.messages == 0
    agent.sendall(wire[-1:])
    here.until(lambda: here.messages == 1)
    assert not here.skipped


def test_several_packets_in_one_segment_are_all_read(server: Make) -> None:
    here = server()
    agent = here.agent()
    whole = b"".join(map(packet, range(50)))
    agent.sendall(whole + packet(50)[:9])
    here.until(lambda: here.messages == 50)
    agent.sendall(packet(50)[9:])
    here.until(lambda: here.messages == 51)
    agent.close()
    here.source.read(here.skipped)
    assert not here.skipped


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"HEP2" + bytes(20), b"HEP3\0\5", b"\0" * 70_000])
def test_garbage_ends_its_connection_alone(server: Make, garbage: bytes) -> None:
    here = server()
    good, bad = here.agent(), here.agent()
    good.sendall(packet(1))
    bad.sendall(packet(2) + garbage)
    here.until(lambda: here.skipped[stream.GARBAGE] == 1)
    here.until(lambda: here.closed(bad))
    good.sendall(packet(3))
    here.until(lambda: here.messages == 3)
    assert here.skipped == {stream.GARBAGE: 1}


def test_one_that_sends_nothing_or_stops_amid_a_packet_is_closed(server: Make) -> None:
    here = server()
    silent, half, whole = here.connect(), here.agent(), here.agent()
    half.sendall(packet(1)[:40])
    whole.sendall(packet(2))
    here.until(lambda: here.messages == 1)
    here.now_us += stream.SLOW_US // 2
    here.source.read(here.skipped)
    assert not here.skipped
    here.now_us += stream.SLOW_US
    here.until(lambda: here.skipped[stream.SLOW] == 2)
    here.until(lambda: here.closed(silent) and here.closed(half))
    # One that has sent whole packets may be quiet for as long as it likes.
    here.now_us += 3600 * S
    whole.sendall(packet(3))
    here.until(lambda: here.messages == 2)


def test_clients_are_bounded_and_a_place_is_free_again(server: Make) -> None:
    here = server()
    clients = [here.connect() for _ in range(stream.MAX_CONNECTIONS)]
    here.source.read(here.skipped)
    extra = [here.connect() for _ in range(5)]
    here.until(lambda: here.skipped[stream.TOO_MANY] == 5)
    here.until(lambda: all(map(here.closed, extra)))
    here.now_us += stream.SLOW_US + S
    here.until(lambda: here.skipped[stream.SLOW] == len(clients))
    agent = here.agent()
    agent.sendall(packet(1))
    here.until(lambda: here.messages == 1)


def test_bytes_before_the_handshake_end_their_connection_alone(server: Make) -> None:
    here = server()
    good, bad = here.agent(), here.connect()
    bad.sendall(b"\x16\x03\x01\xff\xff" + bytes(300))
    reasons = (stream.BROKEN, stream.GARBAGE)
    here.until(lambda: sum(here.skipped[reason] for reason in reasons) == 1)
    here.until(lambda: here.closed(bad))
    good.sendall(packet(1))
    here.until(lambda: here.messages == 1)


def test_only_those_who_may_are_heard(server: Make) -> None:
    here = server(key=b"right key")
    agent, stranger = here.agent(), here.agent()
    stranger.sendall(packet(1, b"wrong key"))
    here.until(lambda: here.closed(stranger))
    agent.sendall(packet(2, b"right key"))
    here.until(lambda: here.messages == 1)
    assert here.skipped[WRONG_KEY] == 1
    other = server(agents=parse_networks(["192.0.2.0/24"]))
    refused = other.connect()
    other.until(lambda: other.closed(refused))
    assert other.skipped == {NOT_LISTED: 1}
