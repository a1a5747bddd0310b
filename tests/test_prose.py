"""Plain words: documentation, help, settings, messages and docstrings avoid words that readers stumble over.

The list holds words that a network engineer who is not a native speaker cannot look up in the field's literature, and
numbers without a leading zero. Quotations and stored words are exceptions, each with its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORDS = re.compile(
    r"\b(vouch\w*|strangers?|retell\w*|retold|tales?|telling|told|anew|amid|whoever|whosoever|nobody|somebody|lessons?|deeds?|"
    r"doubtful|beside|befall\w*|befell|so many|of which|stretch\w*|eye|the posts|hither\w*|thereby|wherein)\b",
    re.IGNORECASE,
)
BARE_DECIMAL = re.compile(r"(?<![\w.)\]/*])\.\d+\b(?!\.)")
STORED = {
    "src/faultprint/embedding/model_file.py": {"stranger"},  # a key of the manifest, which the model's id covers
    "src/faultprint/features/report.py": {"stretches"},  # a key of the report's JSON
    "src/faultprint/training/train.py": {"retold"},  # a key of the manifest's training record
    "src/faultprint/monitor/state/schema.py": {"deed"},  # a column of the monitor's state
    "src/faultprint/monitor/control/requests.py": {"deed"},  # the same column
    "src/faultprint/monitor/state/store.py": {"deed"},  # the same column
    "src/faultprint/monitor/state/persistence.py": {"doubtful"},  # a stored column of the nodes
    "src/faultprint/monitor/kafka/position.py": {"anew"},  # a key of a stored fact
    "src/faultprint/monitor/kafka/transaction_buffer.py": {"stretches"},  # a key of a stored fact
    "src/faultprint/cli/identify.py": {"doubtful"},  # a key of the result in JSON
}
"""Words that files or databases of earlier versions hold, by the module that reads and writes them."""
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("lab/**/*.md"), *ROOT.glob("deploy/**/*"))
    if path.is_file()
)
MODULES = sorted(path for folder in ("src", "lab/src", "examples") for path in (ROOT / folder).rglob("*.py"))


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Every string of a module with its line: docstrings, messages, help texts, settings' descriptions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Every comment line of a module."""
    for number, line in enumerate(source.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            yield number, line


def odd_words(texts: Iterator[tuple[int, str]], allowed: set[str]) -> list[str]:
    """Line and word of each hit."""
    return [
        f"{line}: {hit[0]}" for line, text in texts for hit in WORDS.finditer(text) if hit[0].lower() not in allowed
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_use_plain_words(path: Path) -> None:
    lines = [*enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)]
    assert odd_words(iter(lines), set()) == []
    assert [f"{line}: {hit[0]}" for line, text in lines for hit in BARE_DECIMAL.finditer(text)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_of_modules_use_plain_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    allowed = STORED.get(str(path.relative_to(ROOT)), set())
    assert odd_words(strings(source), allowed) == []
    assert odd_words(comments(source), allowed) == []
