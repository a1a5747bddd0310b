"""Real failures of a 5G core, row by row: the ITU AI/ML in 5G challenge, PS-015, area b (its training part).

A public table with other features and a row every 10 s, so it has a catalogue of its own. Episodes last five rows, so
single rows are classified instead of windows. Scored rows are later or earlier parts of the same file, by
cross-validation over time. The file is not part of Faultprint.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from faultprint.arrays import IntArray
from faultprint.errors import TableError
from faultprint.features.catalogue import Catalogue, Feature, FeatureKind
from faultprint.tables import NORMAL
from faultprint.windows.series import Series

VALUES_FILE: Final = "area-b-train-data.txt.gz"
LABELS_FILE: Final = "area-b-train-label.txt.gz"
INTERVAL_US: Final = 10_000_000
CONDITIONS: Final = (
    NORMAL,
    "bridge-deleted",
    "interface-down",
    "interface-loss",
    "memory-stress",
    "vcpu-overload",
)
"""By the number of the label."""
MAX_OCTETS: Final = 1e8
"""Octets in a step beyond which a counter was reset; such a row is not used."""
FUNCTIONS: Final = ("udm", "amf", "ausf")


def _catalogue() -> Catalogue:
    """The 33 columns in the order of the file."""
    rows: list[tuple[str, str, FeatureKind, str]] = []
    rows += [(f"{name}.down", "", "gauge", "interface operational state: 0 up, 1 down") for name in FUNCTIONS]
    for direction in ("in", "out"):
        rows += [
            (f"{name}.{direction}_octets", "byte", "count", f"octets {direction} in the step") for name in FUNCTIONS
        ]
    for name in FUNCTIONS:
        for core in (0, 1):
            rows.append((f"{name}.core{core}_user", "%", "gauge", f"user time of core {core}"))
            rows.append((f"{name}.core{core}_system", "%", "gauge", f"system time of core {core}"))
            rows.append((f"{name}.core{core}_idle", "", "ratio", f"idle time of core {core}"))
    for name in FUNCTIONS:
        rows.append((f"{name}.memory_state", "", "gauge", "memory status"))
        rows.append((f"{name}.memory_used", "", "ratio", "share of the memory that is used"))
    return Catalogue("5gc-area-b", 1, tuple(Feature(n, unit, kind, meaning=meaning) for n, unit, kind, meaning in rows))


CATALOGUE: Final = _catalogue()


@dataclass(frozen=True, slots=True)
class CoreRows:
    """`series`: (T, 33) values, rows with a counter reset are unobserved; `code` (T,) int64 into CONDITIONS."""

    series: Series
    code: IntArray

    def first(self, share: float) -> CoreRows:
        """The first share of the time, as views."""
        stop = round(share * len(self.code))
        return CoreRows(self.series.slice(0, stop), self.code[:stop])


def read(folder: Path) -> CoreRows:
    """Read the table. Raises TableError for a damaged file."""
    try:
        with gzip.open(folder / VALUES_FILE, "rt") as lines:
            values = np.loadtxt(lines, dtype=np.float32, ndmin=2)
        with gzip.open(folder / LABELS_FILE, "rt") as lines:
            code = np.loadtxt(lines, dtype=np.int64, ndmin=1)
    except (OSError, ValueError) as error:
        raise TableError(f"{folder} does not hold the table of the 5G core ({error}); download it again.") from None
    if values.shape != (len(code), len(CATALOGUE)) or not np.isin(code, range(len(CONDITIONS))).all():
        raise TableError(f"{folder}: {values.shape} values do not match {len(code)} labels; download the files again.")
    octets = [index for index, feature in enumerate(CATALOGUE.features) if feature.kind == "count"]
    observed = np.asarray((values[:, octets] <= MAX_OCTETS).all(axis=1), np.bool_)
    values[~observed] = np.nan
    return CoreRows(Series("area-b", "5gc", 0, INTERVAL_US, CATALOGUE.names, values, observed), code)
