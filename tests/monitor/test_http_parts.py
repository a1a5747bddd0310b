"""Parts of the HTTP server with a clock of the test: which connection is closed, wrong tokens, settings, what is imported."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.errors import ThreadError, UsageError
from faultprint.monitor.config.http import HttpSettings
from faultprint.monitor.config.secret import read_token
from faultprint.monitor.serve.attempts import CLIENTS, FORGIVEN_S, FREE, LONGEST_S, TokenAttempts
from faultprint.monitor.serve.connections import ClientConnection, ConnectionPhase, ConnectionTable, client_key

from .conftest import Deployment


class Connections:
    """A table for four connections, a clock, and the far ends by name."""

    def __init__(self) -> None:
        self.now = 0.0
        self.table = ConnectionTable(4, lambda: 10.0, 75.0, lambda: self.now)
        self.ends: dict[str, tuple[socket.socket, socket.socket]] = {}

    def open(self, name: str, client: str = "192.0.2.1") -> ClientConnection | None:
        self.now += 1
        self.ends[name] = far, near = socket.socketpair()
        far.setblocking(False)
        self.table.admit(near, (client, 1))
        return self.table.find(near.fileno())

    def open_in(self, phase: ConnectionPhase, name: str) -> ClientConnection:
        found = self.open(name)
        assert found
        self.table.enter(found, phase)
        return found

    @property
    def closed(self) -> str:
        """Names of the connections that the table has closed."""
        return "".join(name for name, (far, _) in self.ends.items() if self._is_closed(far))

    def _is_closed(self, far: socket.socket) -> bool:
        try:
            return far.recv(1) == b""
        except BlockingIOError:
            return False

    def end(self) -> None:
        for pair in self.ends.values():
            for one in pair:
                one.close()


@pytest.fixture
def many() -> Iterator[Connections]:
    found = Connections()
    yield found
    found.end()


def test_the_oldest_connection_gives_way_first_of_the_client_with_most(many: Connections) -> None:
    many.open("a", "192.0.2.9")
    for name in "bcd":
        many.open(name)
    assert many.closed == ""
    many.open("e", "192.0.2.8")
    assert many.closed == "b"
    # Several may come before the loop has closed what the table has ended.
    many.open("f")
    many.open("g")
    assert many.closed == "bcd" and len(many.table) == 4


def test_a_request_in_work_does_not_give_way(many: Connections) -> None:
    first, *_ = (many.open_in(ConnectionPhase.BUSY, name) for name in "abcd")
    assert many.open("e") is None and many.closed == "e" and len(many.table) == 4
    aborted: list[str] = []
    first.abort = lambda: aborted.append("a")
    many.table.enter(first, ConnectionPhase.KEPT)
    assert many.open("f") and aborted == ["a"]


def test_slow_connections_are_closed_by_their_phase(many: Connections) -> None:
    phases = (ConnectionPhase.WAITING, ConnectionPhase.RECEIVING, ConnectionPhase.BUSY, ConnectionPhase.KEPT)
    _, _, busy, _ = (many.open_in(phase, name) for phase, name in zip(phases, "wrbk", strict=True))
    many.now += 8
    many.table.sweep()
    assert many.closed == "w"
    many.now += 3
    many.table.sweep()
    assert many.closed == "wr"
    many.now += 70
    many.table.sweep()
    assert many.closed == "wrk"
    many.table.stall(busy, stalled=True)
    many.now += 9
    many.table.stall(busy, stalled=False)
    many.now += 9
    many.table.sweep()
    assert many.closed == "wrk"
    many.table.stall(busy, stalled=True)
    many.now += 11
    many.table.sweep()
    assert many.closed == "wrbk"


def test_a_client_is_an_address_or_a_network_of_ipv6() -> None:
    assert client_key(("192.0.2.1", 5)) == client_key(("::ffff:192.0.2.1", 6, 0, 0)) == "192.0.2.1"
    assert client_key(("2001:db8::1", 5, 0, 0)) == client_key(("2001:db8::ffff:1", 6, 0, 0)) == "2001:db8::/64"
    assert client_key(("fe80::1%eth0", 5, 0, 2)) == "fe80::/64" and client_key("") == client_key(()) == ""


def test_wrong_tokens_pause_longer_and_are_forgiven() -> None:
    now = [0.0]
    attempts = TokenAttempts(clock=lambda: now[0])
    pauses = []
    for _ in range(FREE + 9):
        now[0] += attempts.pause_s("a")
        attempts.failed("a")
        pauses.append(attempts.pause_s("a"))
    assert pauses == [0.0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, *[LONGEST_S] * 4]
    assert attempts.pause_s("b") == 0
    now[0] += FORGIVEN_S + LONGEST_S
    attempts.failed("a")
    assert attempts.pause_s("a") == 0


def test_wrong_tokens_of_many_clients_take_bounded_memory_and_few_reports() -> None:
    now, told = [0.0], []
    attempts = TokenAttempts(lambda client, count: told.append(count), lambda: now[0])
    for number in range(10 * CLIENTS):
        now[0] += 0.01
        attempts.failed(str(number))
    assert len(attempts) == CLIENTS
    assert len(told) == 2 and sum(told) <= 10 * CLIENTS


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe])
def test_random_tokens_of_128_bits_are_taken(make: object, tmp_path: Path) -> None:
    assert callable(make)
    for size in (16, 20, 32):
        for _ in range(50):
            token = make(size)
            (tmp_path / "token").write_text(f"{token}\n")
            assert read_token(tmp_path / "token", "http.token_file") == token


@pytest.mark.parametrize(
    "token",
    [
        "secret",
        "correct-horse",
        "7badce556b0c9de1158e60046c7deb",
        "0" * 64,
        "abc" * 30,
        "0123456789abcdef" * 4,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "töken-töken-töken-töken-töken-töken-1234",
        "two words 1b5f64b1bc1de3e0fd1a1d0e94b8a72",
        "30b5f64b1bc1de3e0fd1a1d0e94b8a7\x7f2",
    ],
)
def test_weak_tokens_are_refused_with_the_command_that_makes_one(token: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{token}\nsecond line\n")
    with pytest.raises(UsageError, match=r"http\.token_file.*openssl rand -hex 32") as error:
        read_token(path, "http.token_file")
    assert token not in str(error.value)


def test_other_machines_are_served_with_tls_or_an_explicit_setting(tmp_path: Path) -> None:
    token, chain = tmp_path / "token", tmp_path / "chain.pem"
    for host in ("0.0.0.0", "::", "", "10.0.0.1", "2001:db8::1", "name.example"):
        with pytest.raises(UsageError, match=r"set http\.token_file"):
            HttpSettings(host=host, alarms=True, allow_plaintext=True)
        for alarms in (False, True):
            with pytest.raises(UsageError, match=r"http\.certificate.*http\.allow_plaintext = true"):
                HttpSettings(host=host, alarms=alarms, token_file=token)
            HttpSettings(host=host, alarms=alarms, token_file=token, allow_plaintext=True)
            HttpSettings(host=host, alarms=alarms, token_file=token, certificate=chain)
        HttpSettings(host=host, port=0)
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost", "unix:/run/faultprint/http.sock"):
        HttpSettings(host=host, alarms=True)
    with pytest.raises(UsageError, match=r"set http\.port"):
        HttpSettings(port=0, alarms=True)
    with pytest.raises(UsageError, match="set both"):
        HttpSettings(certificate_key=chain)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('token_file = "token"', "128"),
        ('metrics_token_file = "token"', "http.metrics_token_file"),
        ('token_file = "absent"', "cannot be read"),
        ('certificate = "token"', "http.certificate"),
        ('host = "0.0.0.0"', "allow_plaintext"),
        ('host = "192.0.2.1"\nallow_plaintext = true', "cannot listen on"),
    ],
)
def test_a_monitor_that_may_not_serve_ends_with_one_sentence(
    deployment: Deployment, tmp_path: Path, keys: str, said: str
) -> None:
    (tmp_path / "token").write_text("secret\n")
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n'
        f'[http]\n{keys}\n[probe]\nnodes = ["p=10.0.0.1"]\nhep = ["127.0.0.1:0"]\n'
    )
    result = CliRunner().invoke(cli, ["monitor", "--config", str(config), "--seconds", "1"])
    # The entry point prints this error as one sentence with exit code 2.
    assert isinstance(result.exception, UsageError) and said in str(result.exception)


def test_a_monitor_whose_server_has_ended_ends(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConnectionTable, "sweep", lambda self: 1 / 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        hep = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n'
        f'[http]\nhost = "unix:{tmp_path}/http.sock"\n[probe]\nkey_file = "key"\nnodes = ["p=10.0.0.1"]\nhep = ["{hep}"]\n'
    )
    result = CliRunner().invoke(cli, ["monitor", "--config", str(config), "--seconds", "30"])
    assert isinstance(result.exception, ThreadError) and "'http'" in str(result.exception)


def test_only_a_server_imports_the_library(tmp_path: Path) -> None:
    code = (
        "import sys, faultprint.cli.monitor, faultprint.monitor.build, faultprint.monitor.config.settings\n"
        "import faultprint.monitor.serve.http\n"
        "assert not {'starlette', 'uvicorn', 'anyio', 'h11', 'prometheus_client'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_its_packages_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from faultprint.monitor.serve.http import HttpServer

    from .test_http_server import Process

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"needs uvicorn; install faultprint\[monitor\]"):
        HttpServer(Process(), "127.0.0.1", 0)
