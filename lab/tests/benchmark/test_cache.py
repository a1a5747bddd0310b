from __future__ import annotations

from pathlib import Path

import pytest

from faultprint_lab.benchmark import cache
from faultprint_lab.benchmark.cache import Cache, statements

TABLES, ERRORS = ("faultprint.tables",), ("faultprint.errors",)
SOURCE = (
    '"""What it is."""\nfrom a import b\n\n\ndef f(x: int) -> int:\n    """Twice."""\n    import c\n    return 2 * x\n'
)


def test_a_result_is_computed_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(path: Path) -> None:
        made.append(1)
        path.write_text("x")

    store = Cache(tmp_path / "new" / "folder")
    first = store.file("thing", {"a": 1}, TABLES, ".txt", make)
    again = store.file("thing", {"a": 1}, TABLES, ".txt", make)
    other = store.file("thing", {"a": 2}, TABLES, ".txt", make)
    assert first == again != other
    assert len(made) == 2
    assert first.read_text() == "x"


def test_changed_code_gives_another_result(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    assert store.path("t", 1, TABLES, "") != store.path("t", 1, ERRORS, "")
    both = ("faultprint.cases", "faultprint.windows")
    assert cache.version(both[:1]) != cache.version(both[1:])
    assert cache.version(both) == cache.version(both[::-1])
    with pytest.raises(ModuleNotFoundError, match="cannot find the module"):
        cache.version(("faultprint.nothing",))


@pytest.mark.parametrize(
    "same",
    [
        SOURCE.replace("What it is", "What it was"),
        SOURCE.replace("Twice", "Double"),
        SOURCE.replace("from a import b", "from z.a import b, d"),
        SOURCE.replace("import c", "import d"),
        SOURCE.replace("2 * x", "2*x  # twice"),
    ],
)
def test_prose_imports_and_layout_do_not_count(same: str) -> None:
    assert [*statements(same)] == [*statements(SOURCE)]


@pytest.mark.parametrize("other", [SOURCE.replace("2 * x", "3 * x"), SOURCE + "Y = 1\n"])
def test_changed_statements_count(other: str) -> None:
    assert [*statements(other)] != [*statements(SOURCE)]


def test_moved_code_does_not_count_and_weights_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, (one, two) in {"before": (SOURCE + "Y = 1\n", ""), "after": (SOURCE, "Y = 1\n")}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
        (tmp_path / name / "one.py").write_text(one)
        (tmp_path / name / "two.py").write_text(two)
    assert cache.version(("before",)) == cache.version(("after",))
    (tmp_path / "after" / "weights.npz").write_bytes(b"1")
    cache.version.cache_clear()
    assert cache.version(("before",)) != cache.version(("after",))


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Cache(tmp_path).file("thing", 1, TABLES, ".txt", fail)
    assert list(tmp_path.iterdir()) == []
