"""`python -m faultprint_lab.lock`: write the lock files, with the hashes of every file of each version.

    requirements.lock                    what `make setup` installs
    deploy/container/requirements.lock   what the container holds

pip chooses the versions within the bounds of pyproject.toml, as it would for a new user. The hashes come from the package
index, so that the lock serves every platform.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

INDEX: Final = "https://pypi.org/simple"
TORCH: Final = "torch==2.13.0"
"""The one package that is in no lock: which of its files fits depends on the machine (CPU alone, or which GPU)."""
LOCKS: Final[Mapping[str, Sequence[str]]] = {
    "requirements.lock": (TORCH, ".[train,monitor,postgres,dev]", "./lab", "setuptools"),
    "deploy/container/requirements.lock": (".[monitor,postgres]", "setuptools"),
}
_LEFT_OUT: Final = frozenset({"faultprint", "faultprint-lab", "torch"})
_HEAD: Final = "# Written by `make lock`: every version, with the hashes of all its files.\n"
_TYPE: Final = "application/vnd.pypi.simple.v1+json"


def main() -> None:
    """Write every lock file of the repository in the current folder."""
    for path, wanted in LOCKS.items():
        Path(path).write_text(lock(wanted), encoding="utf-8")
        print(f"{path} written")


def lock(wanted: Sequence[str]) -> str:
    """The text of a lock file for these requirements."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    report = json.loads(subprocess.run([*command, *wanted], check=True, stdout=subprocess.PIPE).stdout)
    entries = {}
    for install in report["install"]:
        name = install["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
        if name not in _LEFT_OUT:
            version = install["metadata"]["version"].partition("+")[0]
            found = {*_published(name, version), *_chosen(install)}
            hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(found))
            entries[name] = f"{name}=={version}{hashes}\n"
    return _HEAD + "".join(text for _, text in sorted(entries.items()))


def _chosen(install: Mapping[str, Any]) -> list[str]:
    digest = install["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    return [digest] if digest else []


def _published(name: str, version: str) -> list[str]:
    """The hashes of all files of a version in the package index."""
    request = urllib.request.Request(f"{INDEX}/{name}/", headers={"Accept": _TYPE})
    with urllib.request.urlopen(request, timeout=60) as response:
        files = json.load(response)["files"]
    spelt = name.replace("-", "_")
    begins = (f"{spelt}-{version}-", f"{spelt}-{version}.tar", f"{name}-{version}.tar")
    return [file["hashes"]["sha256"] for file in files if file["filename"].lower().startswith(begins)]


if __name__ == "__main__":
    main()
