from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faultprint.errors import TableError
from faultprint_lab.benchmark.results_file import FIGURES, KEYS, REASON, read, write
from faultprint_lab.pages.results import page


def row(system: str, seed: int, variant: str = "an hour", **figures: Any) -> dict[str, Any]:
    keys = dict(zip(KEYS, ("simulated", "unseen", variant, system, seed, "choose"), strict=True))
    return keys | {REASON: None} | dict.fromkeys(FIGURES) | figures


def test_a_file_is_read_as_it_was_written_whatever_the_order(tmp_path: Path) -> None:
    rows = [row("posts", 2), row("default", 1, macro_f1=0.5), row("posts", 1)]
    write(tmp_path / "a.json", {"split": "choose"}, rows)
    write(tmp_path / "b.json", {"split": "choose"}, rows[::-1])
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    about, found = read(tmp_path / "a.json")
    assert about == {"split": "choose"}
    assert sorted(found, key=str) == sorted(rows, key=str)
    assert len((tmp_path / "a.json").read_text().splitlines()) == len(rows) + 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{"data": 1}]}', '{"rows": 3}'])
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(TableError, match="evaluate --protocol"):
        read(tmp_path / "a.json")


def test_the_page_gives_mean_and_spread_over_the_seeds(tmp_path: Path) -> None:
    rows = [
        row("default", 1, macro_f1=0.8, delay_median_minutes=3.0),
        row("default", 2, macro_f1=0.9),
        row("posts", 1, macro_f1=0.25),
        row("thresholds", 1) | {REASON: "rules are written"},
    ]
    write(tmp_path / "a.json", {"sizes": {"seconds": 90}}, rows)
    said = page(tmp_path / "a.json")
    assert "| an hour | `default` | 0.85 ± 0.07 | 3.0 (1 of 2) |" in said
    assert "| an hour | `posts` (1) | 0.25 | – |" in said  # of two seeds
    assert "`thresholds`: not applicable: rules are written." in said
    assert "AUROC |" not in said
    assert "seconds 90" in said


def test_variants_stand_in_the_protocol_s_order_and_those_it_has_no_more_come_last(tmp_path: Path) -> None:
    there = ["none", "a week", "ten minutes", "an hour", "a day"]
    write(tmp_path / "a.json", {"split": "choose"}, [row("default", 1, variant, macro_f1=0.5) for variant in there])
    lines = [line.split("|")[1].strip() for line in page(tmp_path / "a.json").splitlines() if "`default` |" in line]
    assert lines == ["a day", "an hour", "ten minutes", "none", "a week"]


def test_without_figures_the_page_says_how_to_make_them(tmp_path: Path) -> None:
    assert "evaluate --protocol all" in page(tmp_path / "none.json")


def test_lines_are_json(tmp_path: Path) -> None:
    write(tmp_path / "a.json", {"split": "choose"}, [])
    assert json.loads((tmp_path / "a.json").read_text()) == {"split": "choose", "rows": []}
