"""Members of a group on a real broker, and what their states say afterwards."""

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
from faultprint.monitor.config.settings import Settings, SinkKind, SinkSettings
from faultprint.monitor.ingest.files import by_minute
from faultprint.monitor.kafka.build import member
from faultprint.monitor.kafka.group import Group
from faultprint.monitor.kafka.producer import Producer
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint.storage import schema
from faultprint.tables import VERDICTS

from ...broker import Broker
from ..conftest import Log, Town

MINUTE = 60_000_000
LATENESS = 1_000_000
PARTITIONS = 3
PATIENCE_S = 180.0


class Table:
    """A MINUTES table as a source."""

    name = "table"

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def batches(self, closed_us: int) -> Iterator[Batch]:
        yield from by_minute(self._frame, MINUTE)

    def close(self) -> None:
        """Nothing."""


@dataclass
class Hall:
    """Topics of a test's own on the broker, and where its members keep their states."""

    broker: Broker
    town: Town
    folder: Path
    name: str
    holds: Payload = Payload.MINUTES
    logs: dict[str, Log] = field(default_factory=dict)

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(
            self.broker.told,
            self.name,
            f"{self.name}.minutes",
            self.holds,
            state=f"{self.name}.state",
            checkpoint_minutes=20,
            session_seconds=6,
        )

    def settings(self, who: str) -> Settings:
        """One member's: states and lines in a folder of its own."""
        own = self.folder / who
        own.mkdir(exist_ok=True)
        sink = (SinkSettings("lines", SinkKind.FILE, own / "lines.jsonl"),)
        return Settings(self.town.model_path, self.town.library_path, own / "state.db", sink=sink, kafka=self.kafka)

    def make(self) -> None:
        self.broker.make(self.kafka.topic, PARTITIONS)

    def feed(self, frame: pl.DataFrame, origin: str = "feed") -> None:
        """Put a table on the topic, nothing of it late."""
        out = Producer(KafkaCluster(self.broker.told), self.kafka.topic, origin, Log())
        out.minutes(Table(frame), MINUTE, LATENESS, LATENESS, lambda: False)
        assert out.fed.lost == 0 and out.fed.rows == len(frame)

    @contextmanager
    def member(self, who: str) -> Iterator[Group]:
        """A member at work in a thread; it leaves with the block."""
        over, log = threading.Event(), self.logs.setdefault(who, Log())
        failed: list[BaseException] = []
        with member(self.settings(who), self.kafka, SystemClock(), log) as group:

            def work() -> None:
                try:
                    group.run(over.is_set)
                except BaseException as error:
                    failed.append(error)

            thread = threading.Thread(target=work, name=who)
            thread.start()
            try:
                yield group
            finally:
                over.set()
                thread.join(PATIENCE_S)
        assert not failed, failed
        assert not thread.is_alive()

    def states(self) -> dict[int, Path]:
        """Partition → the state file that has come furthest."""
        found: dict[int, tuple[int, Path]] = {}
        for path in self.folder.glob(f"*/state.db.{self.kafka.topic}-[0-9]"):
            with Store(path) as store:
                closed, number = int(store.facts().get("closed", -1)), int(path.name[-1])
            found[number] = max(found.get(number, (-2, path)), (closed, path))
        return {number: path for number, (_, path) in found.items()}

    def verdicts(self) -> pl.DataFrame:
        """What the states that have come furthest hold, by node and minute."""
        parts = [pl.DataFrame(schema=schema(VERDICTS))]
        for path in self.states().values():
            with Store(path) as store:
                parts.append(persistence.verdicts(store, MINUTE))
        return pl.concat(parts).sort("node", "minute")

    def lines(self) -> list[dict[str, Any]]:
        """All that was told of incidents."""
        paths = self.folder.glob("*/lines.jsonl")
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def judged(self, minutes: int, count: int = 4, start: datetime = START) -> bool:
        """Whether so many nodes have been judged as far as that, from `start`."""
        last, nodes = int(start.timestamp()) // 60 + minutes - 1, 0
        for path in self.states().values():
            with Store(path) as store:
                nodes += len(list(store.nodes())) if int(store.facts().get("closed", -1)) >= last else 0
        return nodes == count


@pytest.fixture
def hall(broker: Broker, town: Town, tmp_path: Path, request: pytest.FixtureRequest) -> Hall:
    one = Hall(broker, town, tmp_path, request.node.name.replace("[", "-").replace("]", ""))
    one.make()
    return one


def until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for something to come about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.3)
