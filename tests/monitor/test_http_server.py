"""The HTTP server over real sockets: every address family, TLS, and clients that are slow, hostile or wrong."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.serve import http
from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.attempts import TokenAttempts
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.certificate import LOOK_S, ServerCertificate
from faultprint.monitor.serve.connections import ConnectionTable
from faultprint.monitor.serve.http import BODY, CONNECTIONS, HEAD, HttpServer
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Incident, Severity
from faultprint.publish.tmf642.alarm import BASE_PATH, AlarmSettings

from ..publish.conftest import Pki
from .conftest import Log

TOKEN = "30b5f64b1bc1de3e0fd1a1d0e94b8a72"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
WRONG = {"Authorization": f"Bearer {TOKEN[::-1]}"}


@dataclass
class Process:
    """What the server observes: a process without a monitor."""

    liveness: Liveness = field(default_factory=Liveness)
    log: Log = field(default_factory=Log)
    leaving: list[Callable[[Monitor], None]] = field(default_factory=list)
    monitors: Sequence[Monitor] = ()
    partitions: int | None = None


@contextmanager
def serving(host: str = "127.0.0.1", process: Process | None = None, **options: Any) -> Iterator[HttpServer]:
    server = HttpServer(process or Process(), host, 0, **options)
    try:
        yield server
    finally:
        server.stop()
    assert not server.is_alive()


def ask(
    address: tuple[str, int],
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, bytes, HTTPResponse]:
    with closing(HTTPConnection(*address, timeout=20)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response


def status_of(address: tuple[str, int], *pieces: bytes) -> int | None:
    """The status that answers raw bytes; None: the connection was closed without an answer."""
    with socket.create_connection(address, timeout=20) as plain:
        with suppress(OSError):
            for piece in pieces:
                plain.sendall(piece)
            plain.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionResetError):
            while data := plain.recv(65_536):
                received += data
    if not received:
        return None
    assert received.startswith(b"HTTP/1.1 "), received
    return int(received[9:12])


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def server(process: Process) -> Iterator[HttpServer]:
    with serving(process=process) as one:
        yield one


@pytest.fixture
def api(tmp_path: Path) -> AlarmApi:
    with Store(tmp_path / "state.db") as store:
        store.save_commands([Incident.begin("p/1", "n", "overload", Severity.MAJOR, 0, 0)], [])
    return AlarmApi(CommandQueue(tmp_path / "state.db"), AlarmSettings(), ReplayClock())


# Address families


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::", "", "0.0.0.0"])
def test_any_address_family_is_served(host: str) -> None:
    with serving(host) as server:
        reached = {"127.0.0.1": ["127.0.0.1"], "0.0.0.0": ["127.0.0.1"], "::1": ["::1"]}.get(host, ["127.0.0.1", "::1"])
        for name in reached:
            assert ask((name, server.address[1]), "/healthz")[0] == 200
        if host == "::1":
            with pytest.raises(ConnectionRefusedError):
                ask(("127.0.0.1", server.address[1]), "/healthz")


def test_a_socket_in_the_file_system_is_served_and_a_left_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    for _ in range(2):  # the first server leaves its socket there
        with serving(f"unix:{path}") as server, socket.socket(socket.AF_UNIX) as plain:
            assert server.address == (f"unix:{path}", 0)
            with pytest.raises(UsageError, match="cannot listen on"):
                HttpServer(Process(), f"unix:{path}", 1)
            plain.connect(str(path))
            plain.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert plain.makefile("rb").readline().startswith(b"HTTP/1.1 200")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot listen on"):
        HttpServer(Process(), f"unix:{tmp_path / 'file'}", 1)


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000), ("no.such.invalid", 0), ("a" * 70, 0), ("a\0b", 0)]
)
def test_an_address_that_is_not_ours_is_one_sentence(host: str, port: int) -> None:
    with pytest.raises(UsageError, match=r"cannot listen on .*change http\.host or http\.port"):
        HttpServer(Process(), host, port)


def test_the_server_ends_cleanly_and_its_address_is_free_again(process: Process) -> None:
    with serving(process=process) as server, socket.create_connection(server.address, timeout=20) as open_one:
        assert ask(server.address, "/healthz")[0] == 200
        server.stop()
        assert open_one.recv(1) == b""
    again = HttpServer(process, *server.address)
    again.stop()
    again.stop()
    assert process.log == []


def test_a_defect_that_ends_the_thread_is_kept(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConnectionTable, "sweep", lambda self: 1 / 0)
    with serving(process=process) as server:
        server.join(20)
        assert not server.is_alive() and isinstance(server.failure, BaseException)
        assert process.log.events() == ["thread_ended"]
        with pytest.raises(ConnectionRefusedError):
            ask(server.address, "/healthz")


# HEAD, methods and paths


def test_head_is_answered_like_get_without_a_body(api: AlarmApi) -> None:
    with serving(api=api) as server:
        for path in ("/healthz", "/readyz", "/metrics", f"{BASE_PATH}/alarm", "/else", f"{BASE_PATH}/alarm/none"):
            status, body, head = ask(server.address, path, "HEAD")
            wanted, text, got = ask(server.address, path)
            assert (status, body, head.headers["Content-Type"]) == (wanted, b"", got.headers["Content-Type"])
            if path != "/metrics":  # its numbers change
                assert int(head.headers["Content-Length"]) == len(text)


def test_small_answers_are_sent_at_once(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[socket.socket] = []
    admit = ConnectionTable.admit
    monkeypatch.setattr(ConnectionTable, "admit", lambda *one: accepted.append(one[1]) or admit(*one))
    with closing(HTTPConnection(*server.address, timeout=20)) as connection:
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        assert accepted[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_connection_is_kept_for_the_next_request(server: HttpServer) -> None:
    with closing(HTTPConnection(*server.address, timeout=20)) as connection:
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok\n"
            sock = connection.sock
        assert sock is connection.sock and sock is not None
    two = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2
    with socket.create_connection(server.address, timeout=20) as plain:
        plain.sendall(two)
        plain.shutdown(socket.SHUT_WR)
        assert plain.makefile("rb").read().count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "//metrics", 404),
        ("GET", "/../metrics", 404),
        ("GET", "/metrics/../healthz", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/%68ealthz", 200),
        ("GET", "/healthz?x=%ff&x=&x", 200),
        ("GET", "/healthz%00", 404),
        ("GET", "http://elsewhere.example/healthz", 200),
        ("GET", "HTTP://[::1]:9/healthz?x", 200),
        ("GET", "http://[/healthz", 404),
        ("GET", "http://elsewhere.example", 404),
        ("GET", f"{BASE_PATH}/../../healthz", 404),
        ("GET", f"{BASE_PATH}/alarm/p%2f..%2f..", 404),
        ("GET", f"{BASE_PATH}/alarm/%ff%00", 404),
        ("GET", f"{BASE_PATH}/alarm?limit=1&limit=2", 400),
        ("GET", f"{BASE_PATH}/alarm?state=raised&state=cleared", 200),
        ("GET", f"{BASE_PATH}/alarm?state=%72aised", 200),
        ("GET", f"{BASE_PATH}/alarm?%73tate=%ff", 400),
        ("POST", "/healthz", 405),
        ("PUT", "/healthz", 501),
        ("DELETE", f"{BASE_PATH}/alarm/x", 501),
        ("PATCH", f"{BASE_PATH}/alarm/x", 501),
        ("OPTIONS", "*", 404),
    ],
)
def test_paths_and_methods(api: AlarmApi, method: str, path: str, status: int) -> None:
    with serving(api=api) as server:
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        assert status_of(server.address, request) == status


# Slow clients, and too many


def crowd(stack: ExitStack, address: tuple[str, int], count: int, *pieces: bytes) -> list[socket.socket]:
    found = []
    for number in range(count):
        plain = stack.enter_context(socket.create_connection(address, timeout=20))
        with suppress(OSError):
            plain.sendall(pieces[number % len(pieces)])
        found.append(plain)
    return found


SLOW = (
    b"",
    b"GET /hea",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
)


def test_idle_and_slow_clients_do_not_keep_out_a_health_check(server: HttpServer) -> None:
    assert CONNECTIONS < 100
    with ExitStack() as stack:
        slow = crowd(stack, server.address, 100, *SLOW)
        for _ in range(5):
            assert ask(server.address, "/healthz")[0] == 200
            for plain in slow:  # one byte more each time
                with suppress(OSError):
                    plain.send(b"x")
        assert sum(map(is_closed, slow)) >= len(slow) - CONNECTIONS


def is_closed(plain: socket.socket) -> bool:
    """Whether the server has closed a connection that it did not answer."""
    plain.setblocking(False)
    try:
        return plain.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_clients_that_begin_no_handshake_do_not_keep_out_a_health_check(pki: Pki) -> None:
    certificate = ServerCertificate(pki.file("server.pem"), pki.file("server.key"), Log())
    trust = ssl.create_default_context(cafile=str(pki.file("authority.pem")))
    with serving(certificate=certificate) as server, ExitStack() as stack:
        crowd(stack, server.address, 100, b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(3):
            with closing(HTTPSConnection(*server.address, timeout=20, context=trust)) as connection:
                connection.request("GET", "/healthz")
                assert connection.getresponse().status == 200


def test_slow_clients_are_let_go(server: HttpServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.3)
    with ExitStack() as stack:
        for plain in crowd(stack, server.address, 12, *SLOW):
            with suppress(ConnectionResetError):
                while plain.recv(4096):
                    pass
    assert process.log == []


def test_a_client_that_does_not_read_is_let_go(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.3)
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(20)
        plain.connect(server.address)
        with pytest.raises(OSError) as error:
            while True:
                plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    assert not isinstance(error.value, TimeoutError)
    assert ask(server.address, "/healthz")[0] == 200


def test_requests_that_wait_do_not_keep_out_health_and_metrics(api: AlarmApi, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    find = CommandQueue.find
    monkeypatch.setattr(CommandQueue, "find", lambda self, identity: free.wait(20) and find(self, identity))
    with serving(api=api) as server, ExitStack() as stack:
        request = f"GET {BASE_PATH}/alarm/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        waiting = crowd(stack, server.address, 40, request)
        assert ask(server.address, "/healthz")[0] == ask(server.address, "/metrics")[0] == 200
        free.set()
        assert {int(plain.makefile("rb").readline().split()[1]) for plain in waiting} == {404}


# Malformed requests


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((b"",), None),
        ((b"\r\n\r\n",), 400),
        ((b"GET /healthz\r\n\r\n",), 400),
        ((b"GET /healthz HTTP/1.1\r\n\r\n",), 400),  # no Host
        ((b"GET /healthz HTTP/1.0\r\n\r\n",), 200),
        ((b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",), 400),
        ((b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",), 400),
        ((b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",), 400),
        ((b"GET /health\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",), 400),
        ((b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",), 200),
        ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), 404),
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),), 400),
        ((b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * HEAD + b"\r\n",), 431),
        ((b"GET /" + b"x" * 200_000,), 431),
        ((b"GET /healthz HTTP/1.1\r\nHost: a\r\n", *[b"X: y\r\n" * 1000] * 60), 431),
        ((b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"), 400),
    ],
)
def test_malformed_requests_are_refused(server: HttpServer, pieces: tuple[bytes, ...], status: int | None) -> None:
    assert status_of(server.address, *pieces) == status
    assert ask(server.address, "/healthz")[0] == 200


def test_what_is_malformed_is_told_as_an_error_of_tmf642(server: HttpServer) -> None:
    with socket.create_connection(server.address, timeout=20) as plain:
        plain.sendall(b"GET\r\n\r\n")
        head, _, body = plain.makefile("rb").read().partition(b"\r\n\r\n")
    assert b"application/json" in head and json.loads(body)["code"] == "400"


def test_a_body_that_is_too_large_is_refused_and_the_answer_arrives(api: AlarmApi) -> None:
    with serving(api=api, auth=BearerAuth(TOKEN)) as server:
        path, kind = f"{BASE_PATH}/ackAlarms", {"Content-Type": "application/json"}
        assert ask(server.address, path, "POST", RIGHT | kind, b"x" * (BODY + 1))[0] == 413
        assert ask(server.address, path, "POST", RIGHT | kind, b"x" * BODY)[0] == 400
        assert ask(server.address, path, "POST", WRONG | kind, b"x" * 2 * BODY)[0] == 401
        begun = f"POST {path} HTTP/1.1\r\nHost: a\r\n{'Authorization'}: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{"
        assert status_of(server.address, begun.encode()) is None  # the client left


FRAGMENTS = (
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"/healthz",
    b"/metrics",
    BASE_PATH.encode() + b"/alarm",
    BASE_PATH.encode() + b"/ackAlarms",
    b"?state=raised;",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: localhost\r\n",
    b"Authorization: Bearer x\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Type: application/json\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"{}",
    b"\x00",
    b"%00%",
)


@pytest.fixture(scope="module")
def hardy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpServer, Process]]:
    state, process = tmp_path_factory.mktemp("hardy") / "state.db", Process()
    Store(state).close()
    api = AlarmApi(CommandQueue(state), AlarmSettings(), ReplayClock(), wait_s=0)
    with serving(process=process, api=api) as server:
        yield server, process


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=20)), max_size=14), st.integers(1, 40))
@example([b"GET ", b"/healthz", b" HTTP/1.1\r\n", b"Host: localhost\r\n", b"\r\n", b"\x00"], 7)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_get_an_answer_or_are_closed(
    hardy: tuple[HttpServer, Process], parts: list[bytes], step: int
) -> None:
    server, process = hardy
    data = b"".join(parts)
    status_of(server.address, *(data[at : at + step] for at in range(0, len(data), step)))
    assert ask(server.address, "/healthz")[0] == 200
    assert process.log == [] and server.is_alive()


# TLS


def test_tls(pki: Pki, tmp_path: Path) -> None:
    chain, key, now = tmp_path / "chain.pem", tmp_path / "key.pem", [0.0]
    shutil.copy(pki.file("server.pem"), chain)
    shutil.copy(pki.file("server.key"), key)
    process = Process()
    certificate = ServerCertificate(chain, key, process.log, lambda: now[0])
    trust = ssl.create_default_context(cafile=str(pki.file("authority.pem")))

    def served() -> bytes:
        with (
            socket.create_connection(server.address, timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert secure.makefile("rb").readline().startswith(b"HTTP/1.1 200")
            found = secure.getpeercert(binary_form=True)
            assert found
            return found

    with serving(process=process, certificate=certificate) as server:
        first = served()
        assert status_of_plain(server.address) is None
        assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2
        # Half of a new pair leaves the old one in use, the whole pair replaces it.
        trust.check_hostname = False
        shutil.copy(pki.file("client.pem"), chain)
        now[0] += LOOK_S
        wait(lambda: process.log.events() == ["certificate_unreadable"])
        assert served() == first
        shutil.copy(pki.file("client.key"), key)
        now[0] += LOOK_S
        wait(lambda: process.log.events()[1:] == ["certificate_loaded"])
        assert served() != first


def status_of_plain(address: tuple[str, int]) -> int | None:
    with socket.create_connection(address, timeout=20) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            assert not plain.recv(100).startswith(b"HTTP")
    return None


def wait(ready: Callable[[], bool]) -> None:
    over = threading.Event()
    for _ in range(400):
        if ready():
            return
        over.wait(0.05)
    raise AssertionError("it did not happen")


def test_a_certificate_that_cannot_be_used_is_one_sentence(pki: Pki, tmp_path: Path) -> None:
    for chain, key in (("server.pem", "client.key"), ("none.pem", "server.key"), ("client.pem", "locked.key")):
        with pytest.raises(UsageError, match=r"http\.certificate"):
            ServerCertificate(pki.file(chain), pki.file(key), Log())
    both = tmp_path / "both.pem"
    both.write_bytes(pki.file("server.pem").read_bytes() + pki.file("server.key").read_bytes())
    ServerCertificate(both, None, Log())


# Tokens


def test_wrong_tokens_are_slowed_down_and_told(api: AlarmApi) -> None:
    now, told = [0.0], []
    attempts = TokenAttempts(lambda client, count: told.append((client, count)), lambda: now[0])
    with serving(api=api, auth=BearerAuth(TOKEN, attempts)) as server:

        def status(headers: dict[str, str]) -> tuple[int, str | None]:
            found, _, response = ask(server.address, f"{BASE_PATH}/alarm", headers=headers)
            return found, response.headers["Retry-After"]

        assert [status(WRONG) for _ in range(5)] == [(401, None)] * 5
        assert status(WRONG) == status(RIGHT) == (429, "1")  # the right one is not looked at either
        assert status({}) == (401, None) and ask(server.address, "/healthz")[0] == 200
        now[0] += 1.5
        assert status(WRONG) == (401, None) and status(WRONG) == (429, "2")
        now[0] += 2
        assert status(RIGHT) == (200, None) and status(WRONG) == (401, None)
        assert told == [("127.0.0.1", 1)]
        now[0] += 60
        assert status(WRONG) == (401, None) and told == [("127.0.0.1", 1), ("127.0.0.1", 7)]


def test_metrics_can_have_a_token_of_their_own() -> None:
    with serving(metrics_auth=BearerAuth(TOKEN)) as server:
        assert [ask(server.address, "/metrics", headers=one)[0] for one in ({}, WRONG, RIGHT)] == [401, 401, 200]
        assert ask(server.address, "/healthz")[0] == 200
