"""A file is replaced as a whole, or stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.files import replacing


@pytest.fixture
def umask_077() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


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


@pytest.mark.usefixtures("umask_077")
def test_a_new_file_gets_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with replacing(path) as temporary:
        temporary.write_text("secret")
    assert permissions(path) == 0o600
    os.umask(0o027)
    with replacing(tmp_path / "y") as temporary:
        temporary.write_text("for the group")
    assert permissions(tmp_path / "y") == 0o640


@pytest.mark.usefixtures("umask_077")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as temporary:
        assert permissions(temporary) == 0o600
        temporary.write_text("new")
    assert (path.read_text(), permissions(path)) == ("new", mode)


def test_content_and_name_are_on_the_disk_when_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    synced: list[tuple[str, str]] = []

    def fsync(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").resolve().name, path.read_text()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as temporary:
        temporary.write_text("new")
    # The file before the rename, its folder after it.
    assert synced == [(temporary.name, "old"), (tmp_path.name, "new")]
