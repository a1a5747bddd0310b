"""The lock files and pyproject.toml belong together: each version is within its bounds, and has hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from faultprint_lab.lock import LOCKS, TORCH

ROOT = Path(__file__).resolve().parents[2]
_ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def locked(path: str) -> dict[str, str]:
    """Name → version in a lock file."""
    text = (ROOT / path).read_text()
    entries = {name: version for name, version, _ in _ENTRY.findall(text)}
    assert len(entries) == len(re.findall("^[a-z]", text, re.MULTILINE)), "an entry without a hash"
    return entries


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(
    ("path", "extras"),
    [
        ("requirements.lock", ("train", "monitor", "postgres", "dev")),
        ("deploy/container/requirements.lock", ("monitor", "postgres")),
    ],
)
def test_each_version_is_locked_and_within_its_bounds(path: str, extras: tuple[str, ...]) -> None:
    assert path in LOCKS
    versions = locked(path)
    for requirement in wanted(*extras):
        if requirement.name == "torch":
            assert str(requirement) == TORCH and "torch" not in versions
            continue
        assert requirement.specifier.contains(versions[requirement.name]), requirement
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">=", "<"}, f"{requirement} needs a lower and an upper bound"


def test_the_container_holds_the_versions_that_were_tested() -> None:
    assert locked("deploy/container/requirements.lock").items() <= locked("requirements.lock").items()
