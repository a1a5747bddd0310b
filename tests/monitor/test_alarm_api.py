"""TMF642 over the monitor's own HTTP server: a client reads, acknowledges, comments and clears, and cannot do harm."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.control.requests import WAITING, CommandQueue
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.serve import http
from faultprint.monitor.serve.alarm_api import TASKS, AlarmApi
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.http import BODY, CONNECTIONS, HttpServer
from faultprint.publish.tmf642.alarm import BASE_PATH, AlarmSettings
from faultprint.publish.tmf642.task import TaskKind

from ..publish.schema import errors, needs_schemas, tmf642
from .conftest import Watch, feed

JSON = {"Content-Type": "application/json"}
KIND = b"Content-Type: application/json"
TOKEN = "30b5f64b1bc1de3e0fd1a1d0e94b8a72"
WHO = {"ackUserId": "m.keller", "ackSystemId": "noc"}


@dataclass
class Client:
    """Somebody's HTTP client; `monitor` has two incidents of which one is over."""

    address: tuple[str, int]
    monitor: Monitor
    token: str = TOKEN

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        connection = HTTPConnection(*self.address, timeout=20)
        try:
            known = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, f"{BASE_PATH}{path}", body, known | (headers or {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        finally:
            connection.close()

    def post(self, path: str, value: object) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", path, json.dumps(value).encode(), JSON)


@contextmanager
def looping(monitor: Monitor) -> Iterator[None]:
    """The monitor's loop turns beside the test, without minutes."""
    over = threading.Event()

    def turn() -> None:
        while not over.wait(0.01):
            monitor.process("test", Batch(None, None))

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def serving(monitor: Monitor, folder: Path, guard: BearerAuth | None = None, wait_s: float = 20) -> Iterator[Client]:
    api = AlarmApi(CommandQueue(folder / "state.db"), AlarmSettings(), ReplayClock(), wait_s)
    guard = BearerAuth(TOKEN) if guard is None else guard
    server = HttpServer(monitor, "127.0.0.1", 0, api, guard)
    try:
        yield Client(server.address, monitor, guard.token and TOKEN)
    finally:
        server.close()


@pytest.fixture
def monitor(watch: Watch) -> Iterator[Monitor]:
    with watch() as one:
        feed(one, minutes("beta-1", 230, [(100, 130, "bye-slow"), (200, 230, "bye-slow")], seed=2), end=False)
        yield one


@pytest.fixture
def client(monitor: Monitor, tmp_path: Path) -> Iterator[Client]:
    with serving(monitor, tmp_path) as one:
        yield one


def test_alarms_are_read_filtered_and_paged(client: Client) -> None:
    status, alarms, headers = client.ask("GET", "/alarm")
    assert (status, headers["X-Total-Count"]) == (200, str(len(alarms))) and len(alarms) >= 2
    raised = client.ask("GET", "/alarm?state=raised,updated")[1]
    (incident,) = client.monitor.incidents.open.values()
    assert [one["id"] for one in raised] == [str(incident.identity)] == [alarms[0]["id"]]
    status, page, headers = client.ask("GET", "/alarm?limit=1&offset=1&fields=state")
    assert status == 206 and [set(one) for one in page] == [{"id", "href", "state"}]
    assert client.ask("GET", f"/alarm/{incident.identity}")[:2] == (200, alarms[0])
    assert set(client.ask("GET", f"/alarm/{incident.identity}?fields=state")[1]) == {"id", "href", "state"}


@needs_schemas
def test_alarms_and_tasks_are_those_of_the_schema(client: Client) -> None:
    schema = tmf642()
    for one in client.ask("GET", "/alarm")[1]:
        assert not list(errors(one, {"$ref": "#/definitions/Alarm"}, schema, closed=True))
    with looping(client.monitor):
        identity = client.ask("GET", "/alarm?state=raised,updated")[1][0]["id"]
        told = client.post("/ackAlarms", WHO | {"alarmPattern": [{"id": identity}]})[1]
    assert not list(errors(told, {"$ref": "#/definitions/AckAlarms"}, schema, closed=True))
    assert not list(errors(client.ask("GET", "/alarm/x")[1], {"$ref": "#/definitions/Error"}, schema, closed=True))


def test_tasks_are_done_by_the_loop(client: Client) -> None:
    (incident,) = client.monitor.incidents.open.values()
    identity = str(incident.identity)
    pattern = {"alarmPattern": [{"id": identity}]}

    def now() -> dict[str, Any]:
        found: dict[str, Any] = client.ask("GET", f"/alarm/{identity}")[1]
        return found

    with looping(client.monitor):
        status, told, headers = client.post("/ackAlarms", WHO | pattern)
        assert (status, told["state"], now()["ackUserId"]) == (201, "done", "m.keller")
        assert headers["Location"] == told["href"]
        assert client.ask("GET", told["href"].removeprefix(BASE_PATH))[:2] == (200, told)
        said = {"comment": {"comment": "on it", "userId": "m.keller", "systemId": "noc"}}
        assert client.post("/commentAlarms", said | pattern)[0] == 201 and now()["comment"][0]["comment"] == "on it"
        assert client.post("/unAckAlarms", WHO | pattern)[0] == 201 and now()["ackState"] == "unacknowledged"
        clear = {"clearUserId": "m.keller", "clearSystemId": "noc", "alarmPattern": [{"state": "updated"}]}
        assert client.post("/clearAlarms", clear)[0] == 201 and now()["state"] == "cleared"
        status, told, _ = client.post("/clearAlarms", {**clear, **pattern})
    assert status == 409 and "is cleared" in told["message"]
    assert not client.monitor.incidents.open


def test_a_task_that_the_loop_has_not_done_yet_is_in_progress(monitor: Monitor, tmp_path: Path) -> None:
    with serving(monitor, tmp_path, wait_s=0) as client:
        (incident,) = monitor.incidents.open.values()
        status, told, _ = client.post("/ackAlarms", WHO | {"alarmPattern": [{"id": str(incident.identity)}]})
    assert (status, told["state"]) == (201, "inProgress")


REFUSED: tuple[tuple[str, str, bytes | None, int], ...] = (
    ("GET", "/alarm?colour=red", None, 400),
    ("GET", "/alarm?limit=-1", None, 400),
    ("GET", "/alarm?" + "a=b&" * 100, None, 400),
    ("GET", "/alarm/nobody", None, 404),
    ("GET", "/alarm/%00%ff", None, 404),
    ("GET", "/ackAlarms/nobody", None, 404),
    ("GET", "/hub", None, 404),
    ("POST", "/alarm", b"{}", 405),
    ("POST", "/groupAlarms", b"{}", 404),
    ("POST", "/ackAlarms", b"", 400),
    ("POST", "/ackAlarms", b"{", 400),
    ("POST", "/ackAlarms", b"\xff\x00", 400),
    ("POST", "/ackAlarms", b"[" * 100_000, 400),
    ("POST", "/ackAlarms", b'{"alarmPattern": [{}]}', 400),
    ("POST", "/ackAlarms", b'{"ackUserId":"a","ackSystemId":"b","alarmPattern":[{"id":"x"}]}', 404),
    ("DELETE", "/alarm/x", None, 501),
)


def test_what_cannot_be_done_is_one_sentence(client: Client) -> None:
    for method, path, body, status in REFUSED:
        found, told, _ = client.ask(method, path, body, JSON)
        assert (path, found, told["code"]) == (path, status, str(status)) and "\n" not in told["message"]


def test_bodies_are_bounded_and_json(client: Client) -> None:
    def status(*lines: str) -> int:
        with socket.create_connection(client.address, timeout=20) as plain:
            plain.sendall(
                "\r\n".join(
                    [
                        f"POST {BASE_PATH}/ackAlarms HTTP/1.1",
                        "Host: localhost",
                        f"Authorization: Bearer {TOKEN}",
                        *lines,
                        "",
                        "",
                    ]
                ).encode()
            )
            return int(plain.makefile("rb").readline().split()[1])

    kind = KIND.decode()
    assert status(kind, f"Content-Length: {BODY + 1}") == status(kind, f"Content-Length: {'9' * 20}") == 413
    assert (
        status(kind, f"Content-Length: {'9' * 5000}") == status(kind, "Content-Length: 1", "Content-Length: 2") == 400
    )
    assert status(kind) == status(kind, "Transfer-Encoding: chunked") == 411
    assert status(kind, "Content-Length: -1") == 400
    assert client.ask("POST", "/ackAlarms", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert client.ask("POST", "/ackAlarms", b"{}")[0] == 415


def test_a_slow_client_is_let_go_and_too_many_are_closed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.5)
    crowd = [socket.create_connection(client.address, timeout=20) for _ in range(CONNECTIONS + 5)]
    try:
        begin = time.monotonic()
        begun = (
            b"GET / HTT",
            b"POST %s/ackAlarms HTTP/1.1\r\n%s\r\n\r\n" % (BASE_PATH.encode(), KIND + b"\r\nContent-Length: 9"),
        )
        for place, plain in enumerate(crowd):
            with suppress(OSError):
                plain.sendall(begun[place % 2])
        for plain in crowd:
            with suppress(OSError):
                while plain.recv(4096):
                    pass
        assert time.monotonic() - begin < 10
    finally:
        for plain in crowd:
            plain.close()
    assert client.ask("GET", "/alarm")[0] == 200


@given(st.binary(max_size=300))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_break_the_server(client: Client, data: bytes) -> None:
    with socket.create_connection(client.address, timeout=20) as plain:
        plain.sendall(data)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65_536):
            pass


def test_the_server_still_answers_and_told_no_defect(client: Client) -> None:
    for data in (b"GET //[ HTTP/1.1\r\n\r\n", b"POST\r\n\r\n", b"GET " + b"x" * 70_000, b"A: " * 1000 + b"\r\n\r\n"):
        with socket.create_connection(client.address, timeout=20) as plain:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(65_536):
                pass
    assert client.ask("GET", "/alarm")[0] == 200
    assert "request_failed" not in client.monitor.log.events()  # type: ignore[attr-defined]


def test_a_defect_of_ours_is_told_and_harms_no_other_request(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandQueue, "find", lambda self, identity: 1 / 0)
    status, told, _ = client.ask("GET", "/alarm/x")
    assert (status, told["code"]) == (500, "500") and "ZeroDivision" not in told["message"]
    assert client.ask("GET", "/alarm")[0] == 200
    assert client.monitor.log.events()[-1] == "request_failed"  # type: ignore[attr-defined]


def test_a_token_is_asked_for(monitor: Monitor, tmp_path: Path) -> None:
    with serving(monitor, tmp_path, BearerAuth("töken")) as client:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer other"}, {"Authorization": "Basic x"}):
            for method in ("GET", "HEAD", "POST"):
                status, _, said = client.ask(method, "/ackAlarms", b"{}" if method == "POST" else None, JSON | headers)
                assert (status, said["WWW-Authenticate"]) == (401, "Bearer")
        for scheme in ("Bearer", "bearer"):
            right = {"Authorization": f"{scheme} töken".encode().decode("latin-1"), "Host": "elsewhere.example"}
            assert client.ask("GET", "/alarm", None, right)[0] == 200
    assert "töken" not in repr(BearerAuth("töken"))


def test_without_a_token_only_this_machine_s_names_are_served(monitor: Monitor, tmp_path: Path) -> None:
    """A web page whose name was made to point here says its own name."""
    with serving(monitor, tmp_path, BearerAuth()) as client:
        for host, status in (("localhost:1", 200), ("[::1]:1", 200), ("evil.example", 403), ("[", 403), ("", 403)):
            assert client.ask("GET", "/alarm", None, {"Host": host})[0] == status


def test_without_a_token_nothing_is_changed(monitor: Monitor, tmp_path: Path) -> None:
    with serving(monitor, tmp_path, BearerAuth()) as client:
        (identity,) = (str(one.identity) for one in monitor.incidents.open.values())
        for headers in (JSON, JSON | {"Authorization": "Bearer "}, JSON | {"Authorization": f"Bearer {TOKEN}"}):
            body = json.dumps(WHO | {"alarmPattern": [{"id": identity}]}).encode()
            status, told, _ = client.ask("POST", "/ackAlarms", body, headers)
            assert status == 403 and "openssl rand -hex 32" in told["message"]
        assert CommandQueue(tmp_path / "state.db").wait([1], 0)


def test_alarms_are_off_unless_configured(monitor: Monitor) -> None:
    server = HttpServer(monitor, "127.0.0.1", 0)
    try:
        client = Client(server.address, monitor)
        connection = HTTPConnection(*client.address, timeout=20)
        for method in ("GET", "POST"):
            connection.request(method, f"{BASE_PATH}/alarm", b"", JSON)
            assert connection.getresponse().status == 404
            connection.close()
    finally:
        server.close()


def test_instructions_and_remembered_tasks_are_bounded(
    monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incident,) = monitor.incidents.open.values()
    assert TASKS < WAITING
    monkeypatch.setattr("faultprint.monitor.serve.alarm_api.TASKS", 2)
    monkeypatch.setattr("faultprint.monitor.control.requests.WAITING", 3)
    with serving(monitor, tmp_path, wait_s=0) as client:
        body = WHO | {"alarmPattern": [{"id": str(incident.identity)}]}
        answers = [client.post(f"/{TaskKind.ACKNOWLEDGE}", body) for _ in range(4)]
        assert [status for status, _, _ in answers] == [201, 201, 201, 503]
        assert "wait for the monitor" in answers[3][1]["message"]
        again = [client.ask("GET", told["href"].removeprefix(BASE_PATH))[0] for _, told, _ in answers[:3]]
        assert again == [404, 200, 200]
