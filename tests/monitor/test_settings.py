"""Configurations: what is given is read, what is not known is refused with one sentence that names the key."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.monitor.config import settings
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import FileSinkSettings, KafkaSinkSettings
from faultprint.publish.incident import Severity

LEAST = 'model = "m.faultprint"\nlibrary = "/abs/cases.db"\nstate = "s.db"\n'
TWICE = "[[sink]]\nname='a'\nkind='file'\npath='x'\n"
FULL = (
    LEAST
    + """
[time]
lateness_seconds = 2
[incidents]
severity = "critical"
severities = { overload = "warning" }
[probe]
interfaces = ["eth0"]
nodes = ["p=10.0.0.1"]
peers = { "10.0.0.9" = "Mw" }
[[sink]]
name = "lines"
kind = "file"
path = "lines.jsonl"
[[maintenance]]
start = 2026-01-05T01:00:00
end = 2026-01-05T02:00:00Z
"""
)


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "monitor.toml").write_text(text, encoding="utf-8")
    return settings.read(tmp_path / "monitor.toml")


def test_a_configuration_is_read_whole(tmp_path: Path) -> None:
    found = read(tmp_path, FULL)
    assert (found.model, found.library) == (tmp_path / "m.faultprint", Path("/abs/cases.db"))
    assert found.time.lateness_seconds == 2.0 and isinstance(found.time.lateness_seconds, float)
    assert found.incidents.severity is Severity.CRITICAL
    assert found.incidents.severities == {"overload": Severity.WARNING}
    assert found.probe.interfaces == ("eth0",) and found.probe.peers == {"10.0.0.9": "Mw"}
    assert found.sink == (FileSinkSettings("lines", tmp_path / "lines.jsonl"),)
    assert found.maintenance[0].start == datetime(2026, 1, 5, 1, tzinfo=UTC)


def test_what_is_not_given_has_its_default(tmp_path: Path) -> None:
    found = read(tmp_path, LEAST)
    for entry in fields(Settings):
        if entry.default is not MISSING:
            assert getattr(found, entry.name) == entry.default
        elif entry.default_factory is not MISSING:
            assert getattr(found, entry.name) == entry.default_factory()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the key 'model' is missing"),
        (LEAST + "modle = 1\n", "there is no key 'modle'"),
        (LEAST + "[time]\nlatenes = 1\n", "there is no key 'time.latenes'"),
        (LEAST + "[[sink]]\nname = 'a'\nkind = 'file'\npaht = 'x'\n", "there is no key 'sink.paht'"),
        (LEAST + "[time]\nlateness_seconds = 'x'\n", "time.lateness_seconds is 'x', but must be a number"),
        (LEAST + "[time]\nlateness_seconds = -1\n", "time.lateness_seconds is -1.0, but must be 0 or more"),
        (LEAST + "[time]\nlateness_seconds = nan\n", "time.lateness_seconds is nan, but must be 0 or more"),
        (LEAST + "[nodes]\nmax = true\n", "nodes.max is True, but must be a whole number"),
        (LEAST + "[nodes]\nmax = 0\n", "nodes.max is 0, but must be 1 or more"),
        (LEAST + "[baseline]\nminutes = 3\n", "baseline.minutes is 3, but must be 30 or more"),
        (LEAST + "nodes = 3\n", "nodes is 3, but must be a table"),
        (LEAST + "[incidents]\nseverity = 'bad'\n", "incidents.severity is 'bad', which is none of critical"),
        (LEAST + "[incidents]\nseverities = {a = 'bad'}\n", "incidents.severities.a is 'bad'"),
        (LEAST + "[[sink]]\nkind = 'file'\npath = 'x'\n", "the key 'sink.name' is missing"),
        (LEAST + "[[sink]]\nname = 'a'\nkind = 'ves'\n", "the key 'sink.url' is missing"),
        (
            LEAST + "[[sink]]\nname = 'a'\nkind = 'file'\nurl = 'http://x'\n",
            "there is no key 'sink.url' for kind 'file'; the keys there are name, path.",
        ),
        (
            LEAST + "[[sink]]\nname = 'a'\nkind = 'kafka'\nurl = 'http://x'\n",
            "there is no key 'sink.url' for kind 'kafka'; the keys there are name, bootstrap, topic,",
        ),
        (LEAST + "[[sink]]\nname = 'a'\nkind = 'kafka'\nbootstrap = 'k:1'\n", "no control loop"),
        (
            LEAST
            + "[[sink]]\nname = 'a'\nkind = 'kafka'\nbootstrap = 'k:1'\ndefault_control_loop = 'L'\ntopic = 'a/b'\n",
            "a topic name has",
        ),
        (LEAST + "[kafka]\n", "the key 'kafka.bootstrap' is missing"),
        (LEAST + "[kafka]\nbootstrap = 'k:1'\ntopic = '..'\n", "kafka.topic is '..'"),
        (LEAST + "[kafka]\nbootstrap = 'k:1'\ntopic = 'x'\nstate = 'x'\n", "must be different topics"),
        (LEAST + "[kafka]\nbootstrap = 'k:1'\npayload = 'packets'\n", "none of minutes, transactions"),
        (LEAST + "[kafka]\nbootstrap = 'k:1'\ngroup = ''\n", "kafka.group is empty"),
        (LEAST + "[http]\nalarms = true\n[kafka]\nbootstrap = 'k:1'\n", "set http.alarms to false"),
        (
            LEAST.replace("s.db", "postgresql://u:hush@h/d") + "[kafka]\nbootstrap = 'k:1'\n",
            "the state must be a file, not postgresql://u@h/d; name a file",
        ),
        (LEAST + TWICE * 2, "Two sinks are named 'a'"),
        (
            LEAST + "[[maintenance]]\nstart = 2026-01-05T01:00:00Z\nend = 2026-01-05T01:00:00Z\n",
            "ends before it starts",
        ),
        ("model = ", "cannot be read as TOML"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert sentence in str(caught.value)
    assert "monitor.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as TOML"):
        settings.read(tmp_path / "none.toml")


def test_the_example_of_a_group_is_a_configuration() -> None:
    found = settings.read(Path(__file__).parents[2] / "docs" / "reference" / "monitor-kafka.toml")
    assert found.kafka is not None and found.kafka.tls and isinstance(found.sink[0], KafkaSinkSettings)
