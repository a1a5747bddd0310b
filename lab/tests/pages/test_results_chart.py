"""The picture of all systems' figures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultprint_lab.benchmark.registry import ORACLES, RETRAINED, SYSTEMS
from faultprint_lab.benchmark.results_file import write
from faultprint_lab.pages.results_chart import COLOURS, picture

from ..benchmark.test_results_file import row

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(tmp_path: Path) -> ElementTree.Element:
    rows = [
        row("default", 1, macro_f1_exposed=0.6),
        row("default", 2, macro_f1_exposed=1.0),
        row("lightgbm", 1, "none", macro_f1_exposed=0.0),
        row("reference-lstm", 1),
    ]
    write(tmp_path / "a.json", {"split": "validation"}, rows)
    return ElementTree.fromstring(picture(tmp_path / "a.json"))


def dots(drawn: ElementTree.Element, system: str) -> list[ElementTree.Element]:
    return [circle for circle in drawn.iter(f"{_SVG}circle") if circle.get("class") == f"s-{system}" and len(circle)]


def test_a_dot_is_the_mean_over_the_seeds_and_its_line_the_range(drawn: ElementTree.Element) -> None:
    (high,), (low,) = dots(drawn, "default"), dots(drawn, "lightgbm")
    (line,) = [path for path in drawn.iter(f"{_SVG}path") if path.get("class") == "s-default"]
    ticks = {
        float(text.text or ""): float(text.get("x") or 0)
        for text in drawn.iter(f"{_SVG}text")
        if text.get("text-anchor") == "middle"
    }
    assert float(high.get("cx") or 0) == pytest.approx(ticks[0.8], abs=0.1)
    assert float(low.get("cx") or 0) == pytest.approx(ticks[0.0], abs=0.1)
    left, right = (float(part) for part in (line.get("d") or "")[1:].replace("H", " ").split()[::2])
    assert (left, right) == (pytest.approx(ticks[0.6], abs=0.1), pytest.approx(ticks[1.0], abs=0.1))
    assert high[0].text == "default: 0.80 (0.60 to 1.00)"
    assert high.get("cy") != low.get("cy")


def test_a_system_without_a_figure_is_not_drawn(drawn: ElementTree.Element) -> None:
    assert not dots(drawn, "reference-lstm")
    texts = [text.text for text in drawn.iter(f"{_SVG}text")]
    assert "unseen, simulated" in texts and "degraded, simulated" not in texts


def test_every_colour_belongs_to_a_system() -> None:
    assert {*COLOURS} <= {*SYSTEMS, *RETRAINED, *ORACLES}
