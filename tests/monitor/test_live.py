"""The verbs, metrics and health: a real process that hears HEP and says how it is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from tests.synthetic import minutes

from faultprint import storage
from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint.features.minutes import write_minutes
from faultprint.monitor.serve.http import HttpServer
from faultprint.publish.tmf642.alarm import BASE_PATH
from faultprint.tables import VERDICTS

from .conftest import Deployment, Watch, feed


def get(address: tuple[str, int], path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_health(watch: Watch) -> None:
    with watch() as monitor:
        server = HttpServer(monitor, "127.0.0.1", 0)
        try:
            assert get(server.address, "/readyz")[0] == 503
            feed(monitor, pl.concat([minutes("a-1", 62), minutes("a-1", 1)]))
            assert get(server.address, "/readyz")[0] == get(server.address, "/healthz")[0] == 200
            assert get(server.address, "/else")[0] == 404
            status, text = get(server.address, "/metrics")
            assert monitor.liveness.last_beat is not None
            monitor.liveness.last_beat -= 3600
            assert get(server.address, "/healthz")[0] == get(server.address, "/readyz")[0] == 503
            with pytest.raises(UsageError, match="cannot listen on"):
                HttpServer(monitor, *server.address)
        finally:
            server.close()
    assert status == 200
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["faultprint_nodes",] == found["faultprint_nodes_baselined",] == 1
    assert found["faultprint_intervals_processed_total",] == 62
    assert found["faultprint_verdicts_total", "warming-up"] == 60 and found["faultprint_verdicts_total", "normal"] == 2
    assert found["faultprint_rows_refused_total", "duplicate", "test"] == 1
    assert (found["faultprint_sink_up", "lines"], found["faultprint_messages_waiting", "lines"]) == (1, 0)


def configured(deployment: Deployment, folder: Path, more: str = "") -> Path:
    path = folder / "monitor.toml"
    path.write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n{more}'
    )
    return path


def test_replay_writes_verdicts_and_tells_the_sinks(deployment: Deployment, tmp_path: Path) -> None:
    config = configured(deployment, tmp_path, '[[sink]]\nname = "lines"\nkind = "file"\npath = "lines.jsonl"\n')
    write_minutes(minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2), tmp_path / "minutes.parquet")
    words = ["replay", str(tmp_path / "minutes.parquet"), "--config", str(config), "--json"]
    result = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "verdicts.parquet")], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["minutes"] == sum(found["verdicts"].values()) == 140
    assert found["changes"]["onset"] == 1 and found["undelivered"] == []
    assert [json.loads(line)["event"] for line in result.stderr.splitlines()].count("node_baselined") == 1
    assert len(storage.read(tmp_path / "verdicts.parquet", VERDICTS)) == 140
    assert len((tmp_path / "lines.jsonl").read_text().splitlines()) == found["sinks"]["lines"]["delivered"]
    again = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout)
    assert again["minutes"] == 0


def test_a_dry_run_prints_what_would_be_sent(deployment: Deployment, tmp_path: Path) -> None:
    config = configured(deployment, tmp_path, '[[sink]]\nname = "v"\nkind = "ves"\nurl = "http://192.0.2.1/"\n')
    write_minutes(minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2), tmp_path / "minutes.parquet")
    words = ["replay", str(tmp_path / "minutes.parquet"), "--config", str(config), "--dry-run"]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert "would send" in result.stdout and '"eventSeverity": "MAJOR"' in result.stdout
    assert not (tmp_path / "state.db.replay").exists()


def test_a_dry_run_leaves_the_state_as_it_is(deployment: Deployment, tmp_path: Path) -> None:
    """What waits is shown, and waits on; the minutes are judged again by the run that sends."""
    config = configured(deployment, tmp_path, '[[sink]]\nname = "w"\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    table = minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2)
    write_minutes(table[:125], tmp_path / "first.parquet")
    write_minutes(table, tmp_path / "all.parquet")

    def replayed(name: str, *words: str) -> str:
        words = ("replay", str(tmp_path / name), "--config", str(config), "--drain-timeout", "0", "--json", *words)
        return CliRunner().invoke(cli, words, catch_exceptions=False).stdout

    assert json.loads(replayed("first.parquet"))["minutes"] == 125
    shown = [replayed("all.parquet", "--dry-run", "--drain-timeout", "20") for _ in range(2)]
    assert shown[0].count("would send") >= 2 and "faultprint.incident.onset" in shown[0]
    assert shown[1].count("would send") == shown[0].count("would send")
    assert json.loads(replayed("all.parquet"))["minutes"] == 15


def test_a_live_monitor_starts_hears_and_stops(deployment: Deployment, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        hep, http = one.getsockname()[1], other.getsockname()[1]
    more = f'[http]\nport = {http}\nalarms = true\n[probe]\nnodes = ["p=10.0.0.1"]\nkey_file = "key"\nhep = ["127.0.0.1:{hep}"]\n'
    config = configured(deployment, tmp_path, more)
    command = [
        sys.executable,
        "-c",
        "from faultprint.cli import main; main()",
        "monitor",
        "--config",
        str(config),
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        limit = time.monotonic() + 120
        while time.monotonic() < limit:
            try:
                if get(("127.0.0.1", http), "/readyz")[0] == 200:
                    break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        assert "faultprint_nodes 0.0" in get(("127.0.0.1", http), "/metrics")[1]
        assert get(("127.0.0.1", http), f"{BASE_PATH}/alarm") == (200, "[]")
        process.terminate()
        out, log = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, log
    assert json.loads(out)["minutes"] == 0
    assert json.loads(log.splitlines()[0])["event"] == "started"
