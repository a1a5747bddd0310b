"""The command line from end to end: traffic to verdicts, results for machines, mistakes in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from faultprint import storage
from faultprint.tables import LABELS, VERDICTS

IDENTIFY = ("identify", "{minutes}", "--model", "{model}", "--library", "{cases}", "--out", "{out}")
TUNE = ("tune", "{minutes}", "--labels", "{labels}", "--trials", "1")
FAULTPRINT = Path(sys.executable).parent / "faultprint"


def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run([FAULTPRINT, *map(str, words)], capture_output=True, text=True, timeout=240)
    assert result.returncode == status, result.stderr
    return result


def result_of(*words: object) -> dict[str, Any]:
    result = run(*words, "--json")
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four networks simulated, described and learnt from, with a library taught by them, and one more to identify."""
    base = tmp_path_factory.mktemp("flow")
    for name, networks, first in (("learn", 4, 0), ("meet", 1, 50)):
        result_of(
            "simulate", "--networks", networks, "--days", 1, "--seed", 3, "--first-network", first, "--out", base / name
        )
        result_of("features", base / name / "transactions.parquet", "--out", base / name / "minutes.parquet")
    minutes, labels = base / "learn/minutes.parquet", base / "learn/labels.parquet"
    result_of("train", minutes, "--labels", labels, "--epochs", 2, "--seed", 1, "--out", base / "model.faultprint")
    taught = ("--model", base / "model.faultprint", "--library", base / "cases.db")
    result_of("cases", "enrol", minutes, "--from-labels", labels, "--one-per-condition", *taught)
    return base


def test_every_minute_gets_a_verdict(folder: Path) -> None:
    taught = ("--model", folder / "model.faultprint", "--library", folder / "cases.db")
    out = folder / "verdicts.parquet"
    found = result_of("identify", folder / "meet/minutes.parquet", *taught, "--out", out)
    verdicts = storage.read(out, VERDICTS)
    minutes = pl.read_parquet(folder / "meet/minutes.parquet")
    assert verdicts["minute"].to_list() == minutes["minute"].to_list()
    assert found["minutes"] == len(verdicts) == sum(found["conditions"].values())
    assert all(each["minutes"] > 0 and each["condition"] != "normal" for each in found["incidents"])
    assert set(verdicts["condition"][:60]) == {"warming-up"}
    assert "warming-up" not in set(verdicts["condition"][60:])
    for baseline in ("population", "robust"):
        words = ("--baseline", baseline)
        result_of("identify", folder / "meet/minutes.parquet", *taught, *words, "--out", out)
        found = storage.read(out, VERDICTS)["condition"]
        assert set(found[:47]) == {"warming-up"} and "warming-up" not in set(found[47:]), baseline


def test_evaluate_prints_the_figures_of_the_verdicts(folder: Path) -> None:
    words = ("evaluate", folder / "meet/minutes.parquet", "--labels", folder / "meet/labels.parquet")
    taught = ("--model", folder / "model.faultprint", "--library", folder / "cases.db")
    assert 0 <= result_of(*words, *taught)["macro_f1"] <= 1
    assert "macro_f1_exposed" in run(*words, *taught).stdout


def test_cases_travel_from_one_library_to_another(folder: Path, tmp_path: Path) -> None:
    library, other = ("--library", folder / "cases.db"), ("--library", tmp_path / "other.db")
    listed = result_of("cases", "list", *library)["references"]
    assert listed
    exported = result_of("cases", "export", *library, "--out", tmp_path / "cases.jsonl")["exported"]
    assert exported == len(listed) == result_of("cases", "import", tmp_path / "cases.jsonl", *other)["imported"]
    first = listed[0]["id"]
    assert len(result_of("cases", "show", first, *other)["vector"]) == 56
    assert [one["id"] for one in result_of("cases", "remove", first, *other)["removed"]] == [first]
    assert len(result_of("cases", "list", *other)["references"]) == len(listed) - 1


def test_one_interval_enrols_a_fault(folder: Path, tmp_path: Path) -> None:
    labels = storage.read(folder / "meet/labels.parquet", LABELS)
    fault = labels.filter(pl.col("severity").is_not_null()).row(0, named=True)
    words = ("--condition", "what-happened", "--interval", f"{fault['start'].isoformat()}/{fault['end'].isoformat()}")
    taught = ("--model", folder / "model.faultprint", "--library", tmp_path / "own.db")
    added = result_of("cases", "enrol", folder / "meet/minutes.parquet", *words, *taught)["added"]
    assert [one["condition"] for one in added] == ["what-happened"]


def test_a_fault_of_ones_own_is_learnt_from_one_example(folder: Path, tmp_path: Path) -> None:
    labels = storage.read(folder / "meet/labels.parquet", LABELS)
    fault = labels.filter(pl.col("severity").is_not_null())[0]
    own = pl.concat(
        [
            fault.with_columns(condition=pl.lit("what-happened", labels.schema["condition"])),
            labels.filter(condition="normal"),
        ]
    )
    storage.write(own, LABELS, tmp_path / "own.parquet")
    words = (
        "train",
        folder / "learn/minutes.parquet",
        folder / "meet/minutes.parquet",
        "--epochs",
        1,
        "--augment-rare",
        1,
    )
    tables = ("--labels", folder / "learn/labels.parquet", "--labels", tmp_path / "own.parquet")
    found = result_of(*words, *tables, "--out", tmp_path / "m.faultprint")
    assert "what-happened" in found["retold"]
    assert {*found["retold"]} <= {*found["conditions"]}
    assert len(found["networks"]) + len(found["held_out"]) == 5


def test_a_training_goes_on_and_shows_its_course(folder: Path, tmp_path: Path) -> None:
    asides = (
        "--checkpoint",
        tmp_path / "checkpoint",
        "--animation",
        tmp_path / "animation.html",
        "--log",
        tmp_path / "log",
    )
    words = ("train", folder / "learn/minutes.parquet", "--labels", folder / "learn/labels.parquet", "--epochs", 1)
    first, again = (result_of(*words, *asides, "--out", tmp_path / "m.faultprint") for _ in range(2))
    assert (first["resumed_after"], again["resumed_after"]) == (0, 1)
    assert again["model"] == first["model"]
    lines = (tmp_path / "log/epochs.jsonl").read_text().splitlines()
    assert [json.loads(line)["score"] for line in lines] == [first["score"]]
    assert "Before training" in (tmp_path / "animation.html").read_text("utf-8")


def test_a_study_is_reported_and_its_settings_train(folder: Path, tmp_path: Path) -> None:
    learn = (folder / "learn/minutes.parquet", "--labels", folder / "learn/labels.parquet", "--epochs", 1)
    asides = ("--study", tmp_path / "study.db", "--trials", 1, "--folds", 2, "--settings", tmp_path / "best.json")
    found = result_of("tune", *learn, *asides, "--out", tmp_path / "report.html")
    assert [one["number"] for one in found["tried"]] == [1]
    assert "Tuning: settings and their importance" in (tmp_path / "report.html").read_text("utf-8")
    best = json.loads((tmp_path / "best.json").read_text("utf-8"))
    assert best == found["best"]["settings"]
    result_of("train", *learn, "--settings", tmp_path / "best.json", "--out", tmp_path / "m.faultprint")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("features", "{labels}", "--out", "{out}"), "is not a transactions table: column 'network' is missing"),
        ((*IDENTIFY, "--baseline", "population", "--baseline-minutes", "90"), "leave it out for an interval or population"),
        (("identify", "{labels}", "--model", "{model}", "--library", "{cases}", "--out", "{out}"), "is not a minutes table"),
        (("identify", "{minutes}", "--model", "{labels}", "--library", "{cases}", "--out", "{out}"), "labels.parquet"),
        (("identify", "{minutes}", "--model", "{model}", "--library", "{labels}", "--out", "{out}"), "labels.parquet"),
        (("identify", "{minutes}", "--model", "{model}", "--library", "{none}", "--out", "{out}"), "no case library at"),
        (("train", "{minutes}", "--labels", "{twice}", "--out", "{out}"), "overlap"),
        (("train", "{minutes}", "--labels", "{labels}", "--animation", "{out}.mp4", "--out", "{out}"), "does not end in .html"),
        (("train", "{minutes}", "--labels", "{labels}", "--checkpoint", "{cases}", "--out", "{out}"), "is not a checkpoint"),
        (("train", "{minutes}", "--labels", "{labels}", "--settings", "{labels}", "--out", "{out}"), "contains no settings"),
        ((*TUNE, "--study", "{out}.db", "--out", "{out}"), "neither .html nor .json"),
        ((*TUNE, "--study", "{model}", "--out", "{out}.html"), "is not a study"),
        ((*TUNE, "--study", "{out}.db", "--out", "{out}.html", "--folds", "9"), "4 networks cannot be divided"),
        (("cases", "enrol", "{minutes}", "--model", "{model}", "--library", "{cases}"), "Nothing says what to enrol"),
        (("probe", "{labels}", "--node", "a", "--out", "{out}"), "labels.parquet"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    words: tuple[str, ...], sentence: str, folder: Path, tmp_path: Path
) -> None:
    labels = storage.read(folder / "learn/labels.parquet", LABELS)
    storage.write(pl.concat([labels, labels]), LABELS, folder / "twice.parquet")
    places = {
        "labels": folder / "learn/labels.parquet",
        "minutes": folder / "learn/minutes.parquet",
        "twice": folder / "twice.parquet",
        "model": folder / "model.faultprint",
        "cases": folder / "cases.db",
        "none": tmp_path / "none.db",
        "out": tmp_path / "out",
    }
    result = run(*(word.format(**places) for word in words), status=2)
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("faultprint: ") and result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_word_that_no_verb_knows_exits_with_2() -> None:
    assert "No such command" in run("divine", status=2).stderr
