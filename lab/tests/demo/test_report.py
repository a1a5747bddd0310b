"""The report: complete, self-contained, and safe against markup in data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model
from faultprint.reports import html
from faultprint_lab.baselines.compare import FittedBaselines, split_networks
from faultprint_lab.demo import charts
from faultprint_lab.demo.comparison import Comparison, compare_systems
from faultprint_lab.demo.console import episode_table, figure_table
from faultprint_lab.demo.report import page

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]
EVIL = "</script><script>alert(1)</script>&amp;\u2028<b>"


@pytest.fixture(scope="module")
def comparison(
    model: Model, known_networks: Tables, new_network: Tables, tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    folder = tmp_path_factory.mktemp("comparison")
    split = split_networks(*known_networks, model)

    def baselines() -> FittedBaselines:
        return FittedBaselines.fit(split.train, split.train_labels, model, seed=1, max_seconds=1)

    return compare_systems(
        {"default": model}, split, *new_network, folder, baselines=baselines, now=NOW, log=lambda line: None
    )


@pytest.fixture(scope="module")
def data(comparison: Comparison, new_network: Tables) -> dict[str, Any]:
    return page(comparison, new_network[1], None, traffic="Hours of traffic", seed=1, seconds=12.3)


def embedded(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_holds_its_data_and_loads_nothing(data: dict[str, Any], tmp_path: Path) -> None:
    html.write(data, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "{{" not in text.replace((files("faultprint.reports") / "vendor/plotly-gl3d.min.js").read_text("utf-8"), "")
    found = embedded(text)
    assert found["title"] == data["title"] and [system["key"] for system in found["systems"]] == [
        "default",
        "lightgbm",
        "1-nn",
    ]
    for name in ("report.html", "report.css", "report.js"):
        own = (files("faultprint.reports") / name).read_text("utf-8")
        hosts = set(re.findall(r"https?://[^\s\"'`)]+", own)) - {"http://www.w3.org/2000/svg"}
        assert not hosts
        assert not re.search(r"\b(src|href|fetch|import|url)\s*[=(]", own)


def test_data_stays_data(data: dict[str, Any]) -> None:
    text = html.render(data | {"title": EVIL, "facts": [[EVIL, EVIL]]})
    plain = html.render(data | {"title": "x", "facts": [["x", "x"]]})
    assert embedded(text)["title"] == EVIL
    for mark in ("<script", "</script", "<b>"):
        assert text.count(mark) == plain.count(mark)
    assert "innerHTML" not in (files("faultprint.reports") / "report.js").read_text("utf-8")


def test_names_are_escaped_in_the_chart() -> None:
    assert charts.escape_plotly("<b>&") == "&lt;b&gt;&amp;"


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        html.script_json({"x": float("nan")})


def test_lanes_cover_all_scored_minutes(data: dict[str, Any], comparison: Comparison) -> None:
    track = data["tracks"][0]
    assert [lane["name"] for lane in track["lanes"]] == ["truth", "Faultprint", "LightGBM", "1-NN"]
    truth = comparison.results[0].scored
    for lane, column in ((track["lanes"][0], "truth"), (track["lanes"][1], "verdict")):
        drawn = {at: word for start, end, word in lane["runs"] for at in range(start, end, 60_000)}
        expected = {
            charts.milliseconds(moment): word
            for moment, word in truth.select("minute", column).iter_rows()
            if word is not None
        }
        assert drawn == expected


def test_runs_end_at_gaps_and_changes() -> None:
    words = ["a", "a", None, "a", "b", "b"]
    minute_ms = np.array([0, 1, 2, 3, 4, 9])
    assert charts.runs(minute_ms, words, 1) == [[0, 2, "a"], [3, 4, "a"], [4, 5, "b"], [9, 10, "b"]]


def test_conditions_are_in_order(comparison: Comparison) -> None:
    names = charts.conditions(comparison.results, comparison.references)
    assert names == ["normal", "bye-slow", "invite-errors", "register-timeouts", "unknown", "warming-up"]


def test_the_projection_keeps_distances() -> None:
    rng = np.random.default_rng(0)
    vectors = np.zeros((40, 8), np.float32)
    vectors[:, [1, 4, 6]] = rng.normal(size=(40, 3))
    table = pl.DataFrame(
        {
            "minute": [NOW] * 40,
            "truth": ["normal"] * 20 + ["a"] * 19 + [None],
            "verdict": ["normal"] * 40,
        }
    )
    reference = Reference("a", vectors[25], "m", "n", "w", NOW, NOW, 1, NOW)
    found = charts.cloud(vectors, table, [reference], seed=1)
    assert [group["condition"] for group in found["groups"]] == ["normal", "a"]
    points = np.array([[*group[axis]] for axis in "xyz" for group in [found["groups"][1]]]).T
    assert len(points) == 19
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    original = np.linalg.norm(vectors[20:39, None] - vectors[None, 20:39], axis=2)
    assert apart == pytest.approx(original, abs=1e-3)
    taught = np.array([found["references"][axis][1] for axis in "xyz"])
    assert taught == pytest.approx(points[5], abs=1e-3)  # the reference is where its window is
    assert [found["references"][axis][0] for axis in "xyz"] == [0, 0, 0]


def test_the_terminal_shows_every_episode_and_system(comparison: Comparison) -> None:
    episodes = comparison.results[0].figures.outcomes
    lines = [*episode_table(episodes)]
    assert len(lines) == 1 + len(episodes)
    assert all(episode.condition in line for episode, line in zip(episodes, lines[1:], strict=True))
    table = "\n".join(figure_table(comparison.results))
    assert all(name in table for name in ("default", "lightgbm", "1-nn", "false alarms a day"))
    assert [*episode_table([])]
