"""Writes what the golden test compares with: `python -m tests.golden.make`, in the repository's root.

Run it only where a change of behaviour is wanted, and say in the commit which and why.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tests.synthetic import minute, minutes, random_artifact

from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.library import Library
from faultprint.embedding.model import load_model
from faultprint.embedding.model_file import write_artifact

from ..monitor.conftest import NOW, TAUGHT
from .pipeline import EXPECTED, STORED, STORED_MINUTES, found, replayed


def main() -> None:
    """Make the model, the library and the state anew, then the figures."""
    shutil.rmtree(STORED, ignore_errors=True)
    STORED.mkdir()
    write_artifact(random_artifact(), STORED / "model.faultprint")
    model = load_model(STORED / "model.faultprint")
    with Library.open(STORED / "cases.db", create=True) as library:
        table = minutes("alpha-1", 420, TAUGHT, seed=1)
        for start, end, name in TAUGHT:
            library.add([enrol(table, Enrolment(name, (minute(start), minute(end))), model, created=NOW)])
    with tempfile.TemporaryDirectory() as name:
        replayed(Path(name), last=STORED_MINUTES)
        shutil.copy(Path(name) / "state.db.replay", STORED / "state.db")
    with tempfile.TemporaryDirectory() as name:
        EXPECTED.write_text(json.dumps(found(Path(name)), indent=1) + "\n")


if __name__ == "__main__":
    main()
