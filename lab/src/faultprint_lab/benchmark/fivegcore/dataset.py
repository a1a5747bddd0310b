"""Real failures of a 5G core, row by row: the ITU's AI/ML in 5G challenge, PS-015, area b (its training part).

A table of other people's features, a row every 10 s, with a catalogue of its own. Its episodes last five rows, so that a
row's own condition is asked for, not a window's, and what is met is a later or earlier part of the same file: cross-validated
by time. The file is not part of Faultprint.
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

ROWS: Final = "area-b-train-data.txt.gz"
WORDS: Final = "area-b-train-label.txt.gz"
INTERVAL_US: Final = 10_000_000
CONDITIONS: Final = (
    NORMAL,
    "bridge-deleted",
    "interface-down",
    "interface-loss",
    "memory-stress",
    "vcpu-overload",
)
"""By the label's number."""
LARGEST: Final = 1e8
"""Octets a step beyond which a counter was reset, and the row says nothing."""
FUNCTIONS: Final = ("udm", "amf", "ausf")


def _catalogue() -> Catalogue:
    """The 33 columns in the file's order."""
    rows: list[tuple[str, str, FeatureKind, str]] = []
    rows += [(f"{name}.down", "", "gauge", "interface operational state: 0 up, 1 down") for name in FUNCTIONS]
    for way in ("in", "out"):
        rows += [(f"{name}.{way}_octets", "byte", "count", f"octets {way} in the step") for name in FUNCTIONS]
    for name in FUNCTIONS:
        for core in (0, 1):
            rows.append((f"{name}.core{core}_user", "%", "gauge", f"user time of core {core}"))
            rows.append((f"{name}.core{core}_system", "%", "gauge", f"system time of core {core}"))
            rows.append((f"{name}.core{core}_idle", "", "ratio", f"idle time of core {core}"))
    for name in FUNCTIONS:
        rows.append((f"{name}.memory_state", "", "gauge", "memory status"))
        rows.append((f"{name}.memory_used", "", "ratio", "share of the memory that is used"))
    return Catalogue("5gc-area-b", 1, tuple(Feature(n, unit, kind, meaning=said) for n, unit, kind, said in rows))


CATALOGUE: Final = _catalogue()


@dataclass(frozen=True, slots=True)
class CoreRows:
    """`series`: (T, 33) values, rows of a counter's reset unobserved; `code` (T,) int64 into CONDITIONS."""

    series: Series
    code: IntArray

    def first(self, share: float) -> CoreRows:
        """The first share of the time; views."""
        stop = round(share * len(self.code))
        return CoreRows(self.series.part(0, stop), self.code[:stop])


def read(folder: Path) -> CoreRows:
    """The file as it is. Raises TableError where it is damaged."""
    try:
        with gzip.open(folder / ROWS, "rt") as lines:
            values = np.loadtxt(lines, dtype=np.float32, ndmin=2)
        with gzip.open(folder / WORDS, "rt") as lines:
            code = np.loadtxt(lines, dtype=np.int64, ndmin=1)
    except (OSError, ValueError) as error:
        raise TableError(f"{folder} does not hold the table of the 5G core ({error}); fetch it anew.") from None
    if values.shape != (len(code), len(CATALOGUE)) or not np.isin(code, range(len(CONDITIONS))).all():
        raise TableError(f"{folder}: {values.shape} values do not go with {len(code)} labels; fetch the files anew.")
    octets = [index for index, feature in enumerate(CATALOGUE.features) if feature.kind == "count"]
    observed = np.asarray((values[:, octets] <= LARGEST).all(axis=1), np.bool_)
    values[~observed] = np.nan
    return CoreRows(Series("area-b", "5gc", 0, INTERVAL_US, CATALOGUE.names, values, observed), code)
