from __future__ import annotations

from pathlib import Path

import pytest

from faultprint.evaluate.protocols import cache
from faultprint.evaluate.protocols.cache import Cache


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(path: Path) -> None:
        made.append(1)
        path.write_text("x")

    store = Cache(tmp_path / "new" / "folder")
    first = store.file("thing", {"a": 1}, ("tables.py",), ".txt", make)
    again = store.file("thing", {"a": 1}, ("tables.py",), ".txt", make)
    other = store.file("thing", {"a": 2}, ("tables.py",), ".txt", make)
    assert first == again != other
    assert len(made) == 2
    assert first.read_text() == "x"


def test_other_source_is_another_thing(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    assert store.path("t", 1, ("tables.py",), "") != store.path("t", 1, ("errors.py",), "")
    assert cache.version(("cases",)) != cache.version(("windows",))
    assert cache.version(("cases", "windows")) == cache.version(("windows", "cases"))


def test_other_weights_are_other_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SOURCE", tmp_path)
    (tmp_path / "training").mkdir()
    found = []
    for content in (b"1", b"2"):
        (tmp_path / "training" / "general.npz").write_bytes(content)
        cache.version.cache_clear()
        found.append(cache.version(("training",)))
    cache.version.cache_clear()
    assert found[0] != found[1]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Cache(tmp_path).file("thing", 1, ("tables.py",), ".txt", fail)
    assert list(tmp_path.iterdir()) == []
