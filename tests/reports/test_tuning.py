"""The tuning report: complete, self-contained and equal to the study, as a page or as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultprint.errors import UsageError
from faultprint.reports import tuning
from faultprint.training.config import RANGES, Hyperparameters
from faultprint.training.tuning.study import TrialResult
from faultprint.training.tuning.tune import TuningReport

EVIL = "</script><b onload=x>&"


@pytest.fixture
def report() -> TuningReport:
    """Five trials, the third stopped early, the fourth the best."""
    rates = (4e-3, 1e-3, 2e-2, 2e-3, 5e-4)
    scores = (0.7, 0.65, None, 0.8, 0.75)
    results = tuple(
        TrialResult(number, Hyperparameters(learning_rate=rate), score, 1.5)
        for number, (rate, score) in enumerate(zip(rates, scores, strict=True), 1)
    )
    shares = dict.fromkeys(RANGES, 0.0) | {"learning_rate": 0.75, "dropout": 0.25}
    return TuningReport(
        "a/study.db", 1, ("a", "b", "c"), 3, "9 epochs a fold", results, results[3], (0.68, 0.72), shares
    )


def svgs(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def test_the_page_shows_every_trial_and_every_setting(report: TuningReport) -> None:
    text = tuning.render(report)
    bars, scores, *single = svgs(text)
    assert [word.text for word in bars.findall("text")[:4]] == ["learning_rate", "75%", "dropout", "25%"]
    widths = [float(bar.attrib["width"]) for bar in bars.findall("rect")]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.2)
    kinds = [dot.attrib["class"] for dot in scores.findall("circle")]
    assert kinds == ["default", "trial", "best", "trial"]
    assert len(scores.findall("path[@class='stopped']")) == 1
    heights = {dot.attrib["class"]: float(dot.attrib["cy"]) for dot in scores.findall("circle")}
    assert heights["best"] < heights["default"]
    assert len(single) == len(RANGES)
    assert all(len(plot.findall("circle")) == 4 for plot in single)
    across = {dot.attrib["class"]: float(dot.attrib["cx"]) for dot in single[0].findall("circle")}
    assert across["best"] < across["default"]
    for value in ("0.700", "0.800", "0.680", "0.720", "0.002", "0.0005 to 0.02"):
        assert f">{value}<" in text
    assert "With 4 completed trials they are uncertain" in text
    assert "<!--{{" not in text and "/*{{" not in text


def test_the_page_is_self_contained_and_names_are_never_markup(report: TuningReport) -> None:
    text = tuning.render(replace(report, study=f"x/{EVIL}", limit=EVIL))
    assert EVIL not in text
    assert not re.search(r"<script|https?://|@import|url\(", text)


def test_too_few_trials_have_no_importances(report: TuningReport) -> None:
    alone = replace(report, results=report.results[:1], best=report.results[0], importances={})
    assert "1 completed trials are too few for importances" in tuning.render(alone)
    assert any("–" in line for line in tuning.lines(alone))


def test_json_has_the_same_content(report: TuningReport, tmp_path: Path) -> None:
    tuning.write(report, tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert read["best"] == {"number": 4, "settings": report.best.settings.as_dict(), "score": 0.8, "seconds": 1.5}
    assert [result["score"] for result in read["tried"]] == [0.7, 0.65, None, 0.8, 0.75]
    tuning.write(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == tuning.render(report)


def test_paths_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither \.html nor \.json"):
        tuning.check(tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="does not exist"):
        tuning.check(tmp_path / "none" / "report.html")
