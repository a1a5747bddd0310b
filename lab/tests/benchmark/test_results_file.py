from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faultprint.errors import TableError
from faultprint_lab.benchmark.results_file import FIGURES, KEYS, REASON, read, write
from faultprint_lab.pages.results import page


def row(system: str, seed: int, variant: str = "an hour", **figures: Any) -> dict[str, Any]:
    keys = dict(zip(KEYS, ("simulated", "unseen", variant, system, seed, "validation"), strict=True))
    return keys | {REASON: None} | dict.fromkeys(FIGURES) | figures


def test_a_file_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [row("reference-lstm", 2), row("default", 1, macro_f1=0.5), row("reference-lstm", 1)]
    write(tmp_path / "a.json", {"split": "validation"}, rows)
    write(tmp_path / "b.json", {"split": "validation"}, rows[::-1])
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    about, found = read(tmp_path / "a.json")
    assert about == {"split": "validation"}
    assert sorted(found, key=str) == sorted(rows, key=str)
    assert len((tmp_path / "a.json").read_text().splitlines()) == len(rows) + 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{"data": 1}]}', '{"rows": 3}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(TableError, match="faultprint benchmark"):
        read(tmp_path / "a.json")


def test_the_page_has_mean_and_standard_deviation_over_the_seeds(tmp_path: Path) -> None:
    rows = [
        row("default", 1, macro_f1=0.8, delay_median_minutes=3.0),
        row("default", 2, macro_f1=0.9),
        row("reference-lstm", 1, macro_f1=0.25),
        row("thresholds", 1) | {REASON: "rules are written"},
    ]
    write(tmp_path / "a.json", {"sizes": {"seconds": 90}}, rows)
    text = page(tmp_path / "a.json")
    assert "| an hour | `default` | 0.85 ± 0.07 | 3.0 (1 of 2) |" in text
    assert "| an hour | `reference-lstm` (1) | 0.25 | – |" in text  # of two seeds
    assert "`thresholds`: not applicable: rules are written." in text
    assert "AUROC |" not in text
    assert "seconds 90" in text


def test_variants_are_in_the_order_of_the_protocol_and_removed_ones_are_last(tmp_path: Path) -> None:
    variants = ["none", "a week", "ten minutes", "an hour", "a day"]
    write(
        tmp_path / "a.json", {"split": "validation"}, [row("default", 1, variant, macro_f1=0.5) for variant in variants]
    )
    lines = [line.split("|")[1].strip() for line in page(tmp_path / "a.json").splitlines() if "`default` |" in line]
    assert lines == ["a day", "an hour", "ten minutes", "none", "a week"]


def test_without_figures_the_page_names_the_command(tmp_path: Path) -> None:
    assert "faultprint benchmark --protocol all" in page(tmp_path / "none.json")


def test_an_empty_file_is_json(tmp_path: Path) -> None:
    write(tmp_path / "a.json", {"split": "validation"}, [])
    assert json.loads((tmp_path / "a.json").read_text()) == {"split": "validation", "rows": []}
