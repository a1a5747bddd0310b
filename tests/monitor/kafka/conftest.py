"""Members of a consumer group on a real broker, and the states that they leave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.synthetic import START

from faultprint.monitor.base.interfaces import Batch, SystemClock
from faultprint.monitor.config.kafka import KafkaSettings, Payload
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import FileSinkSettings
from faultprint.monitor.ingest.files import by_minute
from faultprint.monitor.kafka.build import group_member
from faultprint.monitor.kafka.group import GroupMember
from faultprint.monitor.kafka.producer import TopicProducer
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint.storage import schema
from faultprint.tables import VERDICTS
from faultprint.units import MINUTE_US, SECOND_US

from ...broker import Broker
from ..conftest import Deployment, Log

LATENESS_US = SECOND_US
PARTITIONS = 3
TIMEOUT_S = 180.0


class TableSource:
    """A MINUTES table as a source."""

    name = "table"

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table

    def batches(self, closed_us: int) -> Iterator[Batch]:
        yield from by_minute(self._table, MINUTE_US)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class ConsumerGroup:
    """A group with its own topics on the broker; each member has its state and its lines in a folder of its own."""

    broker: Broker
    deployment: Deployment
    folder: Path
    name: str
    payload: Payload = Payload.MINUTES
    logs: dict[str, Log] = field(default_factory=dict)

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(
            self.broker.client_address,
            self.name,
            f"{self.name}.minutes",
            self.payload,
            state=f"{self.name}.state",
            checkpoint_minutes=20,
            session_seconds=6,
        )

    def settings(self, member: str) -> Settings:
        """The settings of a member."""
        folder = self.folder / member
        folder.mkdir(exist_ok=True)
        sink = (FileSinkSettings("lines", folder / "lines.jsonl"),)
        deployment = self.deployment
        return Settings(
            deployment.model_path, deployment.library_path, folder / "state.db", sink=sink, kafka=self.kafka
        )

    def create_topic(self) -> None:
        self.broker.create_topic(self.kafka.topic, PARTITIONS)

    def produce(self, table: pl.DataFrame, sender: str = "feed") -> None:
        """Write a table to the topic; nothing of it is late."""
        producer = TopicProducer(KafkaCluster(self.broker.client_address), self.kafka.topic, sender, Log())
        producer.produce_minutes(TableSource(table), MINUTE_US, LATENESS_US, LATENESS_US, lambda: False)
        assert producer.counts.lost == 0 and producer.counts.rows == len(table)

    @contextmanager
    def member(self, name: str) -> Iterator[GroupMember]:
        """A member that runs in a thread; it leaves the group at the end of the block."""
        stop, log = threading.Event(), self.logs.setdefault(name, Log())
        errors: list[BaseException] = []
        with group_member(self.settings(name), self.kafka, SystemClock(), log) as member:

            def run() -> None:
                try:
                    member.run(stop.is_set)
                except BaseException as error:
                    errors.append(error)

            thread = threading.Thread(target=run, name=name)
            thread.start()
            try:
                yield member
            finally:
                stop.set()
                thread.join(TIMEOUT_S)
        assert not errors, errors
        assert not thread.is_alive()

    def newest_states(self) -> dict[int, Path]:
        """Partition → the state file with the newest minute."""
        newest: dict[int, tuple[int, Path]] = {}
        for path in self.folder.glob(f"*/state.db.{self.kafka.topic}-[0-9]"):
            with Store(path) as store:
                closed, number = int(store.facts().get("closed", -1)), int(path.name[-1])
            newest[number] = max(newest.get(number, (-2, path)), (closed, path))
        return {number: path for number, (_, path) in newest.items()}

    def verdicts(self) -> pl.DataFrame:
        """The verdicts in the newest states, by node and minute."""
        parts = [pl.DataFrame(schema=schema(VERDICTS))]
        for path in self.newest_states().values():
            with Store(path) as store:
                parts.append(persistence.verdicts(store, MINUTE_US))
        return pl.concat(parts).sort("node", "minute")

    def lines(self) -> list[dict[str, Any]]:
        """The incident records that all members have written."""
        paths = self.folder.glob("*/lines.jsonl")
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def finished(self, minutes: int, nodes: int = 4, start: datetime = START) -> bool:
        """Whether this many nodes have verdicts for this many minutes from `start` on."""
        last, count = int(start.timestamp()) // 60 + minutes - 1, 0
        for path in self.newest_states().values():
            with Store(path) as store:
                count += len(list(store.nodes())) if int(store.facts().get("closed", -1)) >= last else 0
        return count == nodes


@pytest.fixture
def consumer_group(
    broker: Broker, deployment: Deployment, tmp_path: Path, request: pytest.FixtureRequest
) -> ConsumerGroup:
    name = request.node.name.replace("[", "-").replace("]", "")
    group = ConsumerGroup(broker, deployment, tmp_path, name)
    group.create_topic()
    return group


def wait_until(condition: Callable[[], bool], seconds: float = TIMEOUT_S) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {seconds} s"
        time.sleep(0.3)
