"""The dashboard and the alert rules of deploy/ beside a live monitor and a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.serve.http import HttpServer
from faultprint.monitor.serve.metrics import METRICS
from faultprint.probe.capture.agents.table import AgentStatus

from .conftest import Watch, feed

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/faultprint.json").read_text())
RULES = ROOT / "deploy/prometheus/faultprint-rules.yml"
CONFIG = ROOT / "deploy/prometheus/prometheus.yml"
NAMES = re.compile(r"\b(?:faultprint|process)_\w+")

prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus and promtool are not installed here: run make servers",
)


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """What the dashboard asks, as Prometheus gets it from Grafana."""
    known = {"$job": "faultprint", "$instance": ".*", "$__rate_interval": "1m"}
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    for name, value in known.items():
        found = [query.replace(name, value) for query in found]
    return found


class HepAgents:
    """A source that has heard two agents; of one of them the clock is not known yet."""

    name = "probe"

    def __init__(self) -> None:
        self.agents = [
            AgentStatus("192.0.2.7", 2001, -15_000_000, 40, 3, 1_700_000_000_500_000),
            AgentStatus("2001:db8::7", 0, None, 0, 0, 1_700_000_001_000_000),
        ]

    def batches(self, closed_us: int) -> Iterator[Batch]:
        return iter(())

    def close(self) -> None:
        pass


@pytest.fixture
def address(watch: Watch) -> Iterator[tuple[str, int]]:
    """Where a monitor that has judged some minutes says how it is."""
    with watch() as monitor:
        feed(monitor, minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2))
        monitor.run([HepAgents()], lambda: True)
        server = HttpServer(monitor, "127.0.0.1", 0)
        try:
            yield server.address
        finally:
            server.close()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_every_metric_that_is_looked_at_is_exported(address: tuple[str, int]) -> None:
    families = text_string_to_metric_families(get("http://{}:{}/metrics".format(*address)))
    exported = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    on_dashboard, in_rules = (set(NAMES.findall(text)) for text in (json.dumps(DASHBOARD), RULES.read_text()))
    assert on_dashboard | in_rules <= exported
    assert {measure.exported for measure in METRICS} <= exported & on_dashboard, "a metric that no panel shows"


def test_agents_have_metrics_of_their_own(address: tuple[str, int]) -> None:
    families = text_string_to_metric_families(get("http://{}:{}/metrics".format(*address)))
    samples = [one for family in families for one in family.samples if one.name.startswith("faultprint_agent_")]
    found = {(one.name[17:], one.labels["address"], one.labels["agent"]): one.value for one in samples}
    assert found == {
        ("clock_offset_seconds", "192.0.2.7", "2001"): -15,
        ("last_heard_timestamp_seconds", "192.0.2.7", "2001"): 1_700_000_000.5,
        ("last_heard_timestamp_seconds", "2001:db8::7", "0"): 1_700_000_001,
        ("messages_total", "192.0.2.7", "2001"): 40,
        ("messages_total", "2001:db8::7", "0"): 0,
        ("stamps_unbelieved_total", "192.0.2.7", "2001"): 3,
        ("stamps_unbelieved_total", "2001:db8::7", "0"): 0,
    }


def test_the_dashboards_panels_lie_side_by_side() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


@prometheus
def test_rules_and_configuration_stand_promtools_checks(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(Path(__file__).with_name("rules-test.yml").read_text().replace("RULES", str(RULES)))
    for words in (("check", "rules", RULES), ("check", "config", CONFIG), ("test", "rules", cases)):
        result = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr


@prometheus
def test_the_metrics_stand_promtools_check(address: tuple[str, int]) -> None:
    text = get("http://{}:{}/metrics".format(*address))
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@prometheus
def test_a_real_prometheus_answers_the_dashboards_queries(address: tuple[str, int], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
    shutil.copy(RULES, tmp_path)
    text = CONFIG.read_text().replace("127.0.0.1:9273", "{}:{}".format(*address))
    (tmp_path / "prometheus.yml").write_text(re.sub(r"(_interval: )15s", r"\g<1>1s", text))
    words = (
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address={at}",
    )
    process = subprocess.Popen(["prometheus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(query: str) -> list[Any]:
        answer = json.loads(get(f"http://{at}/api/v1/query?query={urllib.parse.quote(query)}"))
        assert answer["status"] == "success", query
        found: list[Any] = answer["data"]["result"]
        return found

    try:
        wait(lambda: ask("count_over_time(up[1m]) > 3"))
        assert [one["value"][1] for one in ask("up")] == ["1"]
        # Nothing was refused and the library could be read: all other panels have something to show.
        silent = [query for query in queries() if not ask(query)]
        assert [query for query in silent if "> 0" not in query] == []
        rules = json.loads(get(f"http://{at}/api/v1/rules"))["data"]["groups"][0]["rules"]
        assert rules and all(rule["health"] == "ok" for rule in rules)
    finally:
        process.terminate()
        process.wait(30)


def wait(ask: Callable[[], object], seconds: float = 30) -> None:
    """Until there is an answer."""
    limit = time.monotonic() + seconds
    while True:
        try:
            if ask():
                return
        except OSError:
            pass
        assert time.monotonic() < limit, "no answer"
        time.sleep(0.2)
