"""The commands: produce a recording to a topic, and a member that scores it and serves its metrics."""

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
from faultprint.units import MINUTE_US

from ..conftest import Deployment, Watch, feed
from ..test_contracts import transactions_file
from .conftest import LATENESS_US, PARTITIONS, ConsumerGroup, wait_until

pytestmark = pytest.mark.timeout(900)  # on a busy machine; half a minute each otherwise


def configuration(deployment: Deployment, consumer_group: ConsumerGroup) -> Path:
    path, kafka = consumer_group.folder / "monitor.toml", consumer_group.kafka
    path.write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n'
        f'[kafka]\nbootstrap = "{kafka.bootstrap}"\ntopic = "{kafka.topic}"\nstate = "{kafka.state}"\n'
    )
    return path


def test_every_row_of_a_recording_is_on_the_topic_once_before_its_watermark(
    consumer_group: ConsumerGroup, deployment: Deployment
) -> None:
    frame = pl.concat([minutes("a-1", 20, gaps=[4, 5]), minutes("b-1", 25)])
    write_minutes(frame, consumer_group.folder / "minutes.parquet")
    command = [
        "produce",
        str(consumer_group.folder / "minutes.parquet"),
        "--config",
        str(configuration(deployment, consumer_group)),
        "--json",
    ]
    result = CliRunner().invoke(cli, [*command, "--origin", "probe-1"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"rows": 43, "marks": 25, "delivered": 43 + 25 * PARTITIONS, "lost": 0}
    features, rows, watermarks = frozenset(SIP_CATALOGUE.names), [], dict.fromkeys(range(PARTITIONS), 0)
    partition_of: dict[str, int] = {}
    for message in consumer_group.broker.read_all(consumer_group.kafka.topic, PARTITIONS):
        assert records.sender_of(message.headers()) == "probe-1"  # type: ignore[arg-type]
        record, number = records.decode(message.value(), features), message.partition()
        assert number is not None
        if isinstance(record, WatermarkRecord):
            watermarks[number] = record.watermark_us
        else:
            assert record["minute"] + MINUTE_US > watermarks[number] - LATENESS_US
            assert partition_of.setdefault(record["node"], number) == number
            assert message.key() == record["node"].encode()
            rows.append(record)
    table = records.minutes_frame(rows, SIP_CATALOGUE).sort("node", "minute")
    assert table.equals(frame.sort("node", "minute"))
    assert set(watermarks.values()) == {int(START.timestamp() * 1e6) + 25 * MINUTE_US + LATENESS_US}


def test_transactions_give_the_same_verdicts_as_their_minutes(
    consumer_group: ConsumerGroup, deployment: Deployment, watch: Watch
) -> None:
    source, frame = transactions_file(consumer_group.folder, deployment)
    source.close()
    with watch() as monitor:
        feed(monitor, frame)
        expected = persistence.verdicts(monitor.store, MINUTE_US)
    path = configuration(deployment, consumer_group)
    path.write_text(path.read_text() + 'payload = "transactions"\n')
    command = ["produce", str(consumer_group.folder / "transactions.parquet"), "--config", str(path), "--json"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    consumer_group.payload = Payload.TRANSACTIONS
    with consumer_group.member("one"):
        wait_until(lambda: consumer_group.finished(200, expected["node"].n_unique(), datetime.fromtimestamp(0, UTC)))
    assert consumer_group.verdicts().equals(expected.sort("node", "minute"))


def test_a_configuration_that_does_not_fit_the_command_is_refused(
    consumer_group: ConsumerGroup, deployment: Deployment, tmp_path: Path
) -> None:
    path = configuration(deployment, consumer_group)
    result = CliRunner().invoke(cli, ["monitor", "--config", str(path), "--hep", "127.0.0.1:0"])
    assert isinstance(result.exception, UsageError) and "captures no packets" in str(result.exception)
    path.write_text(path.read_text().partition("[kafka]")[0])
    result = CliRunner().invoke(cli, ["produce", "--config", str(path)])
    assert isinstance(result.exception, UsageError) and "has no section [kafka]" in str(result.exception)


def test_metrics_cover_all_partitions_and_do_not_go_back(consumer_group: ConsumerGroup) -> None:
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
    with consumer_group.member("one") as member:
        server = HttpServer(member, "127.0.0.1", 0)
        consumer_group.produce(frame)
        wait_until(lambda: consumer_group.finished(70))
        wait_until(lambda: value("faultprint_kafka_partitions") == PARTITIONS)
        assert value("faultprint_nodes") == 4
        assert value("faultprint_verdicts_total") == 4 * 70
        assert value("faultprint_last_minute_timestamp_seconds") >= START.timestamp()
    assert value("faultprint_kafka_partitions") == 0
    assert value("faultprint_verdicts_total") == 4 * 70
    server.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("delivery")]
