"""The real capture: what stands for normal, what counts, and that the whole of it runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import minute, minutes

from faultprint import storage
from faultprint.cases.enrol import enrol_examples, examples
from faultprint.cases.library import Library
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import MINUTES
from faultprint_lab.baselines.compare import split_networks
from faultprint_lab.demo.attack import CONDITION, NODES, TEACHER, idle_before, recognise, with_truth
from faultprint_lab.demo.demo import _capture

CAPTURE = Path(__file__).resolve().parents[3] / "../shared/data/captures/SIP-Bruteforce-Single-IP.pcap"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture
def library(model: Model, learnt: Tables) -> Iterator[Library]:
    with Library.open(":memory:") as shelf:
        lessons = split_networks(*learnt, model)
        found = examples(lessons.taught, lessons.taught_labels, model)
        shelf.add(enrol_examples(found, model, created=NOW))
        yield shelf


def test_an_idle_hour_is_listened_to_and_empty() -> None:
    table = pl.concat([minutes("a", 10), minutes("b", 10)])
    idle = idle_before(table, SIP_CATALOGUE)
    storage.check_schema(idle.schema, MINUTES, "idle")
    storage.check_values(idle, MINUTES, "idle")
    assert len(idle) == 120
    assert idle["minute"].max() == minute(-1) and idle["minute"].min() == minute(-60)
    assert (idle["observed"] == 1).all()
    for feature in SIP_CATALOGUE.features:
        if feature.kind == "count":
            assert (idle[feature.name] == 0).all()
        else:
            assert idle[feature.name].null_count() == 120


def test_what_counts_as_attack(model: Model) -> None:
    calls = [0.0] * 400
    calls[70] = calls[200] = 3.0
    table = pl.concat(
        [
            minutes(node, 400).with_columns(pl.Series("in.register_initial.attempts", calls, dtype=pl.Float32))
            for node in NODES
        ]
    )
    said = table.select("node", "minute", condition=pl.lit("normal"))
    found = with_truth(said, table, minute(130), model)
    teacher, other = (found.filter(pl.col("node") == node)["truth"].to_list() for node in NODES)
    assert other[69] == "normal" and other[70] == other[129] == CONDITION and other[130] == "normal"
    assert teacher[100] is None  # part of the lesson
    assert teacher[189] == "normal" and teacher[200] == teacher[259] == CONDITION and teacher[260] == "normal"
    warming = with_truth(said.with_columns(condition=pl.lit("warming-up")), table, minute(130), model)
    assert warming["truth"].null_count() == len(warming)


def test_without_the_capture_there_is_a_clear_line(
    model: Model, library: Library, learnt: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent.pcap"
    monkeypatch.setenv("FAULTPRINT_LAB_DATA", str(tmp_path))
    told = _capture(None, model, library, minutes("a", 10), learnt, tmp_path, NOW)
    assert isinstance(told, str) and "skipped" in told and "FAULTPRINT_LAB_DATA" in told
    with pytest.raises(UsageError, match="no capture"):
        _capture(absent, model, library, minutes("a", 10), learnt, tmp_path, NOW)


@pytest.mark.skipif(not CAPTURE.exists(), reason="the real captures are not beside the repository")
def test_the_capture_is_taught_and_asked(
    model: Model, library: Library, learnt: Tables, met: Tables, tmp_path: Path
) -> None:
    lessons = split_networks(*learnt, model)
    kept = lessons.kept, lessons.kept_labels
    found = recognise(CAPTURE, model, library, met[0], kept, tmp_path, key=b"k" * 32, persistence=3, now=NOW)
    assert found.reference.condition == CONDITION and found.reference.node == TEACHER
    assert found.reference.end - found.reference.start == timedelta(hours=1)
    assert {reference.condition for reference in library.references()} >= {CONDITION, "bye-slow"}
    assert library.rule(model.id, 3) is not None
    assert set(found.shares) == set(NODES) and all(300 < count < 515 for count in found.minutes.values())
    named = found.scored.filter((pl.col("truth") == CONDITION) & (pl.col("condition") == CONDITION))
    assert len(named) == round(sum(found.shares[node] * found.minutes[node] for node in NODES))
    assert len(found.lines()) == 5 and all("%" in line for line in found.lines()[2:4])
