"""Where the laboratory's files are: its own data, its published results, and data sets of others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LAB: Final = Path(__file__).resolve().parents[2]
TESTBED_DATA: Final = _LAB / "data" / "beds"
"""The data set recorded on the test bed."""
RESULTS: Final = _LAB / "results"
"""Published figures of the benchmark suite."""
DATA_VARIABLE: Final = "FAULTPRINT_LAB_DATA"
"""Environment variable that names the folder of external data sets: `5gc-faults/`, `captures/`."""


def external_data(name: str) -> Path | None:
    """The data set or file `name` in the folder of external data sets; None if the environment variable is not set."""
    folder = os.environ.get(DATA_VARIABLE)
    return Path(folder) / name if folder else None
