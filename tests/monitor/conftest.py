"""A deployment: a model, a library with three enrolled faults, and ways to run a monitor on them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.synthetic import minute, minutes, random_artifact

from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.library import Library
from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import write_artifact
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.build import build_monitor
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import FileSinkSettings
from faultprint.monitor.ingest.files import ReplayClock, by_minute
from faultprint.monitor.monitor import Monitor

from ..broker import broker as broker
from ..broker import broker_program as broker_program
from ..publish.conftest import pki as pki
from .postgres import Server, programs

NOW = datetime(2026, 2, 1, tzinfo=UTC)
TAUGHT = [(120, 150, "register-timeouts"), (240, 270, "invite-errors"), (360, 390, "bye-slow")]


@dataclass(frozen=True)
class Deployment:
    """Where the model and the library are, and the model."""

    model_path: Path
    library_path: Path
    model: Model


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("deployment")
    write_artifact(random_artifact(), folder / "model.faultprint")
    model = load_model(folder / "model.faultprint")
    with Library.open(folder / "cases.db", create=True) as library:
        table = minutes("alpha-1", 420, TAUGHT, seed=1)
        for start, end, name in TAUGHT:
            library.add([enrol(table, Enrolment(name, (minute(start), minute(end))), model, created=NOW)])
    return Deployment(folder / "model.faultprint", folder / "cases.db", model)


@pytest.fixture(scope="session")
def traffic() -> pl.DataFrame:
    """Three nodes with faults, gaps and different ends."""
    return pl.concat(
        [
            minutes("beta-1", 270, [(100, 130, "bye-slow"), (200, 240, "register-timeouts")], seed=2),
            minutes("beta-2", 270, [(180, 200, "invite-errors")], seed=3, gaps=[*range(40, 45), *range(225, 240)]),
            minutes("gamma-1", 240, [(150, 180, "bye-slow")], seed=4),
        ]
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL server is installed here: run make servers")
    server = Server(found)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> StateLocation:
    """A state that is not there yet, in either database."""
    if request.param == "sqlite":
        return tmp_path / "state.db"
    server: Server = request.getfixturevalue("postgres")
    return server.fresh()


class Log(list[tuple[str, dict[str, Any]]]):
    """Remembers what was told."""

    def __call__(self, event: str, /, **fields: Any) -> None:
        self.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of twelve megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


Watch = Callable[..., AbstractContextManager[Monitor]]


@pytest.fixture
def watch(deployment: Deployment, tmp_path: Path) -> Watch:
    """Assembles a monitor: watch(**settings); the same state file each time, one file sink unless `sink` is given."""

    @contextmanager
    def make(log: Log | None = None, clock: ReplayClock | None = None, **changes: Any) -> Iterator[Monitor]:
        sink = (FileSinkSettings("lines", tmp_path / "lines.jsonl"),)
        settings = Settings(deployment.model_path, deployment.library_path, tmp_path / "state.db", sink=sink)
        with build_monitor(
            replace(settings, **changes), clock or ReplayClock(), Log() if log is None else log
        ) as monitor:
            yield monitor

    return make


def feed(monitor: Monitor, table: pl.DataFrame, *, end: bool = True) -> None:
    """Let a monitor take a MINUTES table as a replay would, from where it stands."""
    clock = monitor.clock
    assert isinstance(clock, ReplayClock)
    ends = pl.col("minute").dt.epoch("us") + monitor.buffer.interval_us
    for batch in by_minute(table.filter(ends > monitor.closed_us), monitor.buffer.interval_us):
        assert batch.watermark_us is not None
        clock.time_us = max(clock.time_us, batch.watermark_us)
        monitor.process("test", batch)
    if end:
        monitor.finish()
