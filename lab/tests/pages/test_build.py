from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import TABLES
from faultprint_lab.pages.build import PAGES, main


def test_pages_are_written_once_and_then_up_to_date(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(main, ["--check", "--folder", str(tmp_path)]).exit_code == 1
    assert run(main, ["--folder", str(tmp_path)]).exit_code == 0
    assert run(main, ["--check", "--folder", str(tmp_path)]).exit_code == 0
    assert run(main, ["--folder", str(tmp_path)]).output == ""


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_page_is_out_of_date(tmp_path: Path, page: str) -> None:
    CliRunner().invoke(main, ["--folder", str(tmp_path)])
    (tmp_path / page).write_text((tmp_path / page).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["--check", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("is out of date") == 1
    assert page in result.output


def test_every_feature_and_every_column_is_on_its_page() -> None:
    features, tables = PAGES["reference/features.md"](), PAGES["reference/tables.md"]()
    assert all(f"| `{name}` |" in features for name in SIP_CATALOGUE.names)
    assert all(f"| `{name}` |" in tables for table in TABLES for name in table.names)
