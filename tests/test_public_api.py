"""The public names: complete, typed, documented, and quick to import."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import faultprint as fp

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("polars", "numpy", "onnxruntime", "torch", "click", "sklearn", "pandas")


def test_every_name_is_there_and_documented() -> None:
    assert len(fp.__all__) == len(set(fp.__all__))
    for name in fp.__all__:
        thing = getattr(fp, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
    assert set(fp.__all__) <= set(dir(fp))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fp.nothing  # type: ignore[attr-defined]


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "src" / "faultprint" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed | {"__version__"} == set(fp.__all__)


def test_the_reference_page_lists_every_name() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    assert [name for name in fp.__all__ if f"`fp.{name}" not in page] == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, faultprint; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", fp.__all__)
def test_the_examples_of_the_docstrings_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    thing = getattr(fp, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    for found in doctest.DocTestFinder(recurse=True).find(thing, name, globs={}):
        failed, _ = doctest.DocTestRunner(optionflags=flags, verbose=False).run(found)
        assert failed == 0, found.name
