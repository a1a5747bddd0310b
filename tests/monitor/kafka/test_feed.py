"""The verbs: a recording fed to a topic, and a member that judges it and serves its metrics."""

from __future__ import annotations

import json
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

pytest.importorskip("confluent_kafka")

from tests.synthetic import START, minutes

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.minutes import write_minutes
from faultprint.monitor.config.kafka import Payload
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.monitor.serve.http import HttpServer
from faultprint.monitor.state import persistence

from ..conftest import Town, Watch, feed
from ..test_contracts import transactions_file
from .conftest import LATENESS, MINUTE, PARTITIONS, Hall, until

pytestmark = pytest.mark.timeout(900)  # on a busy machine; half a minute each otherwise


def configuration(town: Town, hall: Hall) -> Path:
    path = hall.folder / "monitor.toml"
    path.write_text(
        f'model = "{town.model_path}"\nlibrary = "{town.library_path}"\nstate = "state.db"\n'
        f'[kafka]\nbootstrap = "{hall.broker.told}"\ntopic = "{hall.kafka.topic}"\nstate = "{hall.kafka.state}"\n'
    )
    return path


def test_every_row_of_a_recording_is_on_the_topic_once_before_its_mark(hall: Hall, town: Town) -> None:
    frame = pl.concat([minutes("a-1", 20, gaps=[4, 5]), minutes("b-1", 25)])
    write_minutes(frame, hall.folder / "minutes.parquet")
    words = ["feed", str(hall.folder / "minutes.parquet"), "--config", str(configuration(town, hall)), "--json"]
    result = CliRunner().invoke(cli, [*words, "--origin", "probe-1"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"rows": 43, "marks": 25, "delivered": 43 + 25 * PARTITIONS, "lost": 0}
    features, rows, marked = frozenset(SIP_CATALOGUE.names), [], dict.fromkeys(range(PARTITIONS), 0)
    places: dict[str, int] = {}
    for message in hall.broker.read(hall.kafka.topic, PARTITIONS):
        assert records.origin(message.headers()) == "probe-1"  # type: ignore[arg-type]
        found, number = records.decode(message.value(), features), message.partition()
        assert number is not None
        if isinstance(found, WatermarkRecord):
            marked[number] = found.complete_us
        else:
            assert found["minute"] + MINUTE > marked[number] - LATENESS
            assert places.setdefault(found["node"], number) == number and message.key() == found["node"].encode()
            rows.append(found)
    table = records.frame(rows, SIP_CATALOGUE).sort("node", "minute")
    assert table.equals(frame.sort("node", "minute"))
    assert set(marked.values()) == {int(START.timestamp() * 1e6) + 25 * MINUTE + LATENESS}


def test_transactions_are_judged_as_their_minutes_are(hall: Hall, town: Town, watch: Watch) -> None:
    source, frame = transactions_file(hall.folder, town)
    source.close()
    with watch() as monitor:
        feed(monitor, frame)
        expected = persistence.verdicts(monitor.store, MINUTE)
    path = configuration(town, hall)
    path.write_text(path.read_text() + 'holds = "transactions"\n')
    words = ["feed", str(hall.folder / "transactions.parquet"), "--config", str(path), "--json"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    hall.holds = Payload.TRANSACTIONS
    with hall.member("one"):
        until(lambda: hall.judged(200, expected["node"].n_unique(), datetime.fromtimestamp(0, UTC)))
    assert hall.verdicts().equals(expected.sort("node", "minute"))


def test_a_topic_that_is_not_there_stops_the_start(hall: Hall, town: Town, tmp_path: Path) -> None:
    path = configuration(town, hall)
    result = CliRunner().invoke(cli, ["monitor", "--config", str(path), "--hep", "127.0.0.1:0"])
    assert isinstance(result.exception, UsageError) and "hears no packets" in str(result.exception)
    path.write_text(path.read_text().partition("[kafka]")[0])
    result = CliRunner().invoke(cli, ["feed", "--config", str(path)])
    assert isinstance(result.exception, UsageError) and "has no [kafka]" in str(result.exception)


def test_metrics_are_those_of_all_partitions_and_do_not_fall_back(hall: Hall) -> None:
    def value(name: str) -> float:
        host, port = server.address
        with urllib.request.urlopen(f"http://{host}:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and line[len(name)] in " {"
        )

    frame = pl.concat(
        minutes(node, 70, seed=seed) for seed, node in enumerate(("alpha-7", "beta-7", "gamma-7", "delta-7"))
    )
    with hall.member("one") as one:
        server = HttpServer(one, "127.0.0.1", 0)
        hall.feed(frame)
        until(lambda: hall.judged(70))
        until(lambda: value("faultprint_kafka_partitions") == PARTITIONS)
        assert value("faultprint_nodes") == 4
        assert value("faultprint_verdicts_total") == 4 * 70
        assert value("faultprint_last_minute_timestamp_seconds") >= START.timestamp()
    assert value("faultprint_kafka_partitions") == 0
    assert value("faultprint_verdicts_total") == 4 * 70
    server.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("courier")]
