"""What every source and every sink must do, whatever it is."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.synthetic import minutes

from faultprint import storage
from faultprint.errors import ModelError, UsageError
from faultprint.features.coverage import CoverageInterval, dump_coverage
from faultprint.features.minutes import compute_minutes as minutes_of
from faultprint.features.minutes import write_minutes
from faultprint.monitor.base.interfaces import BatchSource
from faultprint.monitor.config.settings import ProbeSettings, Settings
from faultprint.monitor.config.sinks import (
    AlarmSinkSettings,
    FileSinkSettings,
    HttpSinkSettings,
    KafkaSinkSettings,
    SinkSettings,
    VesSinkSettings,
    WebhookSinkSettings,
)
from faultprint.monitor.deliver import sinks
from faultprint.monitor.ingest.files import MinutesFileSource, Replay, ReplayClock, TransactionsFileSource
from faultprint.monitor.ingest.recordings import open_recording
from faultprint.publish.incident import Incident, Severity
from faultprint.publish.message import DeliveryOutcome
from faultprint.tables import COVERAGE_KEY, MINUTES, TRANSACTIONS

from ..broker import Broker
from ..features.strategies import crowd, table
from .conftest import Deployment

MINUTE = 60_000_000


def minutes_file(folder: Path, deployment: Deployment) -> tuple[BatchSource, pl.DataFrame]:
    frame = pl.concat([minutes("a-1", 20, gaps=[4, 5]), minutes("b-1", 25)])
    write_minutes(frame, folder / "minutes.parquet")
    return MinutesFileSource(folder / "minutes.parquet", deployment.model.catalogue, MINUTE), frame


def transactions_file(folder: Path, deployment: Deployment) -> tuple[BatchSource, pl.DataFrame]:
    """Twenty thousand minutes' worth of nothing, and in the midst of it a crowd."""
    frame = table(crowd(3_000, 1)).with_columns(
        (pl.col(name).to_physical() * 60_000).cast(pl.Datetime("us", "UTC"))
        for name in ("start", "provisional", "ringing", "completion")
    )
    stretches = [
        CoverageInterval("a", "net", 0, 7 * MINUTE + 5),
        CoverageInterval("b", "net", 30, 200 * MINUTE),
        CoverageInterval("c", "net", 0, 3),
    ]
    storage.write(frame, TRANSACTIONS, folder / "transactions.parquet", {COVERAGE_KEY: dump_coverage(stretches)})
    return TransactionsFileSource(folder / "transactions.parquet", MINUTE), minutes_of(frame.lazy(), stretches)


def replay(folder: Path, deployment: Deployment) -> tuple[BatchSource, pl.DataFrame]:
    source, frame = minutes_file(folder, deployment)
    return Replay(source, ReplayClock(), None), frame


@pytest.fixture(params=[minutes_file, transactions_file, replay])
def source(request: pytest.FixtureRequest, tmp_path: Path, deployment: Deployment) -> tuple[BatchSource, pl.DataFrame]:
    made: tuple[BatchSource, pl.DataFrame] = request.param(tmp_path, deployment)
    return made


def test_a_source_gives_every_row_once_in_order_of_time(source: tuple[BatchSource, pl.DataFrame]) -> None:
    one, frame = source
    parts, complete = [], 0
    for batch in one.batches(0):
        assert batch.minutes is not None and batch.watermark_us is not None
        storage.check_schema(batch.minutes.schema, MINUTES, "batch")
        ends = batch.minutes["minute"].to_physical() + MINUTE
        assert batch.watermark_us >= complete and ends.max() <= batch.watermark_us and ends.min() > complete  # type: ignore[operator]
        complete = batch.watermark_us
        parts.append(batch.minutes)
    one.close()
    assert pl.concat(parts).sort("node", "minute").equals(frame.sort("node", "minute"))


def test_a_source_leaves_out_what_has_been_judged(source: tuple[BatchSource, pl.DataFrame]) -> None:
    one, frame = source
    start = int(frame["minute"].to_physical().min()) // MINUTE * MINUTE  # type: ignore[call-overload]
    closed = start + 3 * MINUTE
    rest = pl.concat([batch.minutes for batch in one.batches(closed) if batch.minutes is not None])
    one.close()
    assert rest.sort("node", "minute").equals(
        frame.filter(pl.col("minute").to_physical() >= closed).sort("node", "minute")
    )


def test_a_replay_waits_as_its_speed_asks(tmp_path: Path, deployment: Deployment) -> None:
    waited: list[float] = []
    clock = ReplayClock()
    one = Replay(minutes_file(tmp_path, deployment)[0], clock, 120.0, waited.append)
    for batch in one.batches(0):
        assert clock.now_us() == batch.watermark_us
    assert waited == [0.5] * 24


def test_recordings_are_told_apart(tmp_path: Path, deployment: Deployment) -> None:
    minutes_file(tmp_path, deployment)
    transactions_file(tmp_path, deployment)
    for name, kind in (("minutes", MinutesFileSource), ("transactions", TransactionsFileSource)):
        with open_recording(tmp_path / f"{name}.parquet", deployment.model, ProbeSettings()) as one:
            assert isinstance(one, kind)
    with pytest.raises(ModelError, match="last 60000000"):
        MinutesFileSource(tmp_path / "minutes.parquet", deployment.model.catalogue, 1)


class Post(BaseHTTPRequestHandler):
    """Takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


SinkMaker = Callable[[Path, pytest.FixtureRequest], SinkSettings]


def kafka_sink(folder: Path, request: pytest.FixtureRequest) -> SinkSettings:
    broker: Broker = request.getfixturevalue("broker")
    return KafkaSinkSettings("s", broker.address, default_control_loop="ControlLoop-Any")


def posted(kind: type[HttpSinkSettings], **more: Any) -> Callable[[Path, pytest.FixtureRequest], Any]:
    return lambda folder, request: kind(
        "s",
        url=request.getfixturevalue("url"),
        **{name: folder / value if "file" in name else value for name, value in more.items()},
    )


SINKS: dict[str, SinkMaker] = {
    "file": lambda folder, request: FileSinkSettings("s", folder / "lines.jsonl"),
    "webhook": posted(WebhookSinkSettings, secret_file="secret"),
    "ves": posted(VesSinkSettings, user="u", password_file="secret"),
    "alarm": posted(AlarmSinkSettings),
    "kafka": kafka_sink,
}


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("kind", SINKS)
def test_a_sink_delivers_every_change_under_an_identity_of_its_own(
    kind: str, dry: bool, request: pytest.FixtureRequest, deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hush\n")
    stream = io.StringIO() if dry else None
    whole = Settings(deployment.model_path, deployment.library_path, tmp_path / "state.db")
    settings = SINKS[kind](tmp_path, request)
    (one,) = sinks.sinks_for(settings, whole, deployment.model, np.random.default_rng(1), stream)
    begun = Incident.begin("n", "net", "overload", Severity.MAJOR, 0, MINUTE)
    life = (begun, begun.clear(2 * MINUTE))
    messages = [message for incident in life for message in one.encode(incident)]
    assert messages == [message for incident in life for message in one.encode(incident)]
    assert len({message.id for message in messages}) == len(messages) == 2
    assert [one.sender.send(message).outcome for message in messages] == [DeliveryOutcome.DELIVERED] * 2
    one.sender.close()
    if stream:
        assert all(message.id in stream.getvalue() for message in messages)
        assert not (tmp_path / "lines.jsonl").exists()


def test_a_secret_that_is_not_there_stops_the_start(deployment: Deployment, tmp_path: Path) -> None:
    whole = Settings(deployment.model_path, deployment.library_path, tmp_path / "state.db")
    settings = WebhookSinkSettings("s", "http://127.0.0.1/", secret_file=tmp_path / "none")
    with pytest.raises(UsageError, match="cannot be read"):
        sinks.sinks_for(settings, whole, deployment.model, np.random.default_rng(1))
    (tmp_path / "none").write_text("\n")
    with pytest.raises(UsageError, match="no first line"):
        sinks.sinks_for(settings, whole, deployment.model, np.random.default_rng(1))
