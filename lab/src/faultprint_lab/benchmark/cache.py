"""Files of results that take long to compute, each computed once.

The file name is a hash of the arguments and of the code that computes the result, so that an outdated file is never used
and a run that was killed continues. Comments, docstrings, imports, layout and the file that holds a statement do not
count: moving code or rewriting its prose leaves cached results valid. Files appear whole (`files.replacing`), so several
runs may share a folder.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from faultprint.files import replacing

_HASH_DIGITS: Final = 20


class _CodeOnly(ast.NodeTransformer):
    """Removes imports and docstrings from a syntax tree."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)


def statements(source: str) -> Iterator[str]:
    """Each top-level statement of Python source, without what cannot change its results."""
    for node in _CodeOnly().visit(ast.parse(source)).body:
        yield ast.dump(node)


@cache
def version(modules: Sequence[str]) -> str:
    """A hash of the code of `modules` and of the weights shipped in them; a package stands for everything in it."""
    digests = set()
    for path in {path for name in modules for path in _files(name)}:
        contents = (
            (text.encode() for text in statements(path.read_text("utf-8")))
            if path.suffix == ".py"
            else (path.read_bytes(),)
        )
        digests |= {hashlib.sha256(content).digest() for content in contents}
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:_HASH_DIGITS]


def _files(name: str) -> Iterator[Path]:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The cache cannot find the module {name!r}; correct the list of modules.")
    path = Path(spec.origin)
    if path.name != "__init__.py":
        yield path
        return
    for pattern in ("*.py", "*.npz"):
        yield from path.parent.rglob(pattern)


class Cache:
    """A folder of results."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def path(self, kind: str, arguments: Any, code: tuple[str, ...], suffix: str) -> Path:
        """The path of the result of this kind, computed from `arguments` (JSON) by the modules `code`."""
        text = json.dumps([kind, arguments, version(code)], sort_keys=True)
        return self.folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]}{suffix}"

    def file(self, kind: str, arguments: Any, code: tuple[str, ...], suffix: str, make: Callable[[Path], None]) -> Path:
        """The file. If it is absent, `make` is called with a path to write to."""
        path = self.path(kind, arguments, code, suffix)
        if not path.exists():
            with replacing(path) as temporary:
                make(temporary)
        return path
