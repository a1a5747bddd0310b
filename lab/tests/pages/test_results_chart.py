"""The picture of all systems' figures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultprint_lab.benchmark.registry import ANEW, BEYOND, SYSTEMS
from faultprint_lab.benchmark.results_file import write
from faultprint_lab.pages.results_chart import COLOURS, picture

from ..benchmark.test_rows import row

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(tmp_path: Path) -> ElementTree.Element:
    rows = [
        row("default", 1, macro_f1_exposed=0.6),
        row("default", 2, macro_f1_exposed=1.0),
        row("lightgbm", 1, "none", macro_f1_exposed=0.0),
        row("posts", 1),
    ]
    write(tmp_path / "a.json", {"split": "choose"}, rows)
    return ElementTree.fromstring(picture(tmp_path / "a.json"))


def dots(drawn: ElementTree.Element, system: str) -> list[ElementTree.Element]:
    return [one for one in drawn.iter(f"{_SVG}circle") if one.get("class") == f"s-{system}" and len(one)]


def test_a_dot_is_the_mean_of_its_seeds_and_its_line_their_range(drawn: ElementTree.Element) -> None:
    (high,), (low,) = dots(drawn, "default"), dots(drawn, "lightgbm")
    (line,) = [one for one in drawn.iter(f"{_SVG}path") if one.get("class") == "s-default"]
    ticks = {
        float(one.text or ""): float(one.get("x") or 0)
        for one in drawn.iter(f"{_SVG}text")
        if one.get("text-anchor") == "middle"
    }
    assert float(high.get("cx") or 0) == pytest.approx(ticks[0.8], abs=0.1)
    assert float(low.get("cx") or 0) == pytest.approx(ticks[0.0], abs=0.1)
    left, right = (float(part) for part in (line.get("d") or "")[1:].replace("H", " ").split()[::2])
    assert (left, right) == (pytest.approx(ticks[0.6], abs=0.1), pytest.approx(ticks[1.0], abs=0.1))
    assert high[0].text == "default: 0.80 (0.60 to 1.00)"
    assert high.get("cy") != low.get("cy")


def test_what_has_no_figure_is_not_drawn(drawn: ElementTree.Element) -> None:
    assert not dots(drawn, "posts")
    words = [one.text for one in drawn.iter(f"{_SVG}text")]
    assert "unseen, simulated" in words and "rough, simulated" not in words


def test_every_system_of_a_colour_is_one() -> None:
    assert {*COLOURS} <= {*SYSTEMS, *ANEW, *BEYOND}
