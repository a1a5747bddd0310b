"""The real capture: its baseline, which minutes count, and the whole run."""

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
from faultprint_lab.demo.attack import CONDITION, ENROLLED_NODE, NODES, idle_before, recognise, with_truth
from faultprint_lab.demo.demo import demo, find_capture

CAPTURE = Path(__file__).resolve().parents[3] / "../shared/data/captures/SIP-Bruteforce-Single-IP.pcap"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture
def library(model: Model, known_networks: Tables) -> Iterator[Library]:
    with Library.open(":memory:") as opened:
        split = split_networks(*known_networks, model)
        found = examples(split.train, split.train_labels, model)
        opened.add(enrol_examples(found, model, created=NOW))
        yield opened


def test_an_idle_hour_is_observed_and_empty() -> None:
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


def test_which_minutes_count_as_attack(model: Model) -> None:
    attempts = [0.0] * 400
    attempts[70] = attempts[200] = 3.0
    table = pl.concat(
        [
            minutes(node, 400).with_columns(
                pl.Series("in.register_initial.attempts", attempts, dtype=pl.Float32),
                pl.lit(0, pl.Float32).alias("in.other.attempts"),
            )
            for node in NODES
        ]
    )
    verdicts = table.select("node", "minute", condition=pl.lit("normal"))
    found = with_truth(verdicts, table, minute(130), model)
    enrolled, other = (found.filter(pl.col("node") == node)["truth"].to_list() for node in NODES)
    assert other[69] == "normal" and other[70] == other[129] == CONDITION and other[130] == "normal"
    assert enrolled[100] is None  # part of the enrolled interval
    assert enrolled[189] == "normal" and enrolled[200] == enrolled[259] == CONDITION and enrolled[260] == "normal"
    warming = with_truth(verdicts.with_columns(condition=pl.lit("warming-up")), table, minute(130), model)
    assert warming["truth"].null_count() == len(warming)


def test_a_missing_capture_is_refused_or_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTPRINT_LAB_DATA", str(tmp_path))
    assert find_capture(None) is None
    with pytest.raises(UsageError, match="no capture"):
        find_capture(tmp_path / "absent.pcap")


def test_the_demo_refuses_a_missing_capture_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="no capture"):
        demo(out, capture=tmp_path / "nosuch")
    assert not out.exists()


@pytest.mark.skipif(not CAPTURE.exists(), reason="the real captures are not beside the repository")
def test_the_capture_is_enrolled_and_identified(
    model: Model, library: Library, known_networks: Tables, new_network: Tables, tmp_path: Path
) -> None:
    split = split_networks(*known_networks, model)
    kept = split.calibration, split.calibration_labels
    found = recognise(CAPTURE, model, library, new_network[0], kept, tmp_path, key=b"k" * 32, persistence=3, now=NOW)
    assert found.reference.condition == CONDITION and found.reference.node == ENROLLED_NODE
    assert found.reference.end - found.reference.start == timedelta(hours=1)
    assert {reference.condition for reference in library.references()} >= {CONDITION, "bye-slow"}
    assert library.rule(model.id, 3) is not None
    assert set(found.shares) == set(NODES) and all(300 < count < 515 for count in found.minutes.values())
    named = found.scored.filter((pl.col("truth") == CONDITION) & (pl.col("condition") == CONDITION))
    assert len(named) == round(sum(found.shares[node] * found.minutes[node] for node in NODES))
    assert len(found.lines()) == 5 and all("%" in line for line in found.lines()[2:4])
