"""A file is replaced whole, or left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.files import replacing


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="does not exist; create it first"),
        replacing(tmp_path / "no" / "x"),
    ):
        pass
