"""Where the laboratory's files are: its own data, its published results, and data sets of others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LAB: Final = Path(__file__).resolve().parents[2]
BEDS: Final = _LAB / "data" / "beds"
"""Hours recorded on the test bed."""
RESULTS: Final = _LAB / "results"
"""Figures of the benchmark suite, as published."""
DATA: Final = "FAULTPRINT_LAB_DATA"
"""Environment variable with the folder of other people's data sets: `5gc-faults/`, `captures/`."""


def others(name: str) -> Path | None:
    """The data set or file `name` in the folder that the environment variable DATA names; None without it."""
    folder = os.environ.get(DATA)
    return Path(folder) / name if folder else None
