"""docs/science/puzzles.md and its picture from rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from faultprint.errors import TableError
from faultprint_lab.benchmark.results_file import FIGURES, KEYS, REASON, write
from faultprint_lab.benchmark.suite import LINEUPS
from faultprint_lab.pages.puzzles import page, picture
from faultprint_lab.pages.puzzles_text import PUZZLES


def row(protocol: str, system: str, seed: int, **figures: Any) -> dict[str, Any]:
    keys = dict(zip(KEYS, ("simulated", protocol, "an hour", system, seed, "validation"), strict=True))
    return keys | {REASON: None} | dict.fromkeys(FIGURES) | figures


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    steps = [*range(0, 101, 5)]
    looks = {"step": steps, "satisfied": [step / 100 for step in steps], "satisfied_inference": [0.25] * len(steps)}
    written = [
        row("batchnorm-gap", "raw", 4, satisfied=0.8, satisfied_inference=0.5, looks=looks),
        row("batchnorm-gap", "raw, one network", 4, looks=looks),
        row("batchnorm-gap", "raw", 5, satisfied=0.9, satisfied_inference=0.7, looks=looks),
        row("encoder-variants", "default", 4, macro_f1_exposed=0.75),
    ]
    write(tmp_path / "a.json", {"sizes": {"seconds": 30}}, written)
    return tmp_path / "a.json"


def test_every_puzzle_names_systems_and_figures_of_its_protocol() -> None:
    for puzzle in PUZZLES:
        assert {*puzzle.systems} <= {*LINEUPS[puzzle.protocol]} and {*puzzle.figures} <= {*FIGURES}


def test_the_page_has_every_question_with_its_figures(rows: Path) -> None:
    text = page(rows)
    assert all(f"## {puzzle.question}\n" in text for puzzle in PUZZLES)
    assert "| `raw` | 0.85 ± 0.07 | 0.60 ± 0.14 | – |" in text
    assert "| `default` (1) | 0.75 |" in text  # of two seeds
    assert "seconds 30" in text
    assert "`sigmoid`: " not in text  # this system is not in the rows


def test_the_picture_has_a_line_for_each_training_and_mode(rows: Path) -> None:
    lines = ElementTree.fromstring(picture(rows)).findall("{http://www.w3.org/2000/svg}polyline")
    assert [line.get("class") for line in lines] == [
        "mixed training",
        "mixed inference",
        "one training",
        "one inference",
    ]
    rising, flat = ([float(point.split(",")[1]) for point in line.get("points", "").split()] for line in lines[:2])
    assert rising == sorted(rising, reverse=True) and rising[0] > rising[-1]
    assert len({*flat}) == 1


def test_without_figures_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no figures"):
        page(tmp_path / "none.json")
