"""Public class names are unique over the product and the laboratory; folders and modules have the size of one idea."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "src" / "faultprint", ROOT / "lab" / "src" / "faultprint_lab")
MOST_MODULES = 16


def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_folder_holds_more_modules_than_a_reader_can_overlook() -> None:
    crowded = {}
    for package in PACKAGES:
        for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            if len(modules) > MOST_MODULES:
                crowded[str(folder.relative_to(ROOT))] = len(modules)
    assert crowded == {}
