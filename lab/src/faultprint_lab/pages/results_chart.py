"""docs/science/results.svg: macro-F1 of every system in every protocol, from the committed figures of the benchmark suite."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint.reports.svg import Dot, dots, standalone
from faultprint_lab.benchmark.results_file import read
from faultprint_lab.pages.results import COMMITTED, variants_of

FIGURE: Final = "macro_f1_exposed"
COLOURS: Final[dict[str, str]] = {
    "default": "#0969da",
    "retrained": "#54aeff",
    "lightgbm": "#cf222e",
    "lightgbm-raw": "#bf8700",
    "minirocket": "#8250df",
    "1-nn": "#57606a",
    "dtw": "#8c959f",
    "thresholds": "#d4a72c",
    "reference-lstm-100k": "#1a7f37",
    "reference-lstm": "#57ab5a",
    "oracle": "#d0d7de",
}
"""The systems that are drawn, and their colours."""
_SHOWN: Final = (
    *(("unseen", "simulated"), ("unseen", "testbed"), ("temporal", "simulated"), ("new-fault", "simulated")),
    *(
        ("open-set", "simulated"),
        ("learning-curve", "simulated"),
        ("degraded", "simulated"),
        ("by-severity", "simulated"),
    ),
)
_STYLE: Final = "text{font:12px sans-serif;fill:#57606a}.heading{font-weight:bold}.axis{stroke:#d0d7de}" + "".join(
    f"circle.s-{name}{{fill:{colour}}}path.s-{name}{{stroke:{colour};stroke-width:1.5}}"
    for name, colour in COLOURS.items()
)

Row = Mapping[str, Any]


def picture(path: Path = COMMITTED) -> str:
    """SVG. Raises TableError for a file that holds no figures."""
    rows = read(path)[1] if path.exists() else []
    present = {row["system"] for row in rows}
    kinds = [(f"s-{name}", name) for name in COLOURS if name in present]
    description = "Macro-F1 over windows with ten or more faulty minutes, by protocol and system"
    return standalone(dots([*_lines(rows)], kinds, description), _STYLE)


def _lines(rows: Sequence[Row]) -> Iterator[tuple[str, list[Dot]]]:
    for protocol, data in _SHOWN:
        selected = [
            row for row in rows if (row["protocol"], row["data"]) == (protocol, data) and row[FIGURE] is not None
        ]
        if selected:
            yield f"{protocol}, {data}", []
        for variant in variants_of(protocol, selected):
            yield variant, [*_dots([row for row in selected if row["variant"] == variant])]


def _dots(rows: Sequence[Row]) -> Iterator[Dot]:
    """The default is last, so that it is drawn on top."""
    for name in reversed(COLOURS):
        values = [float(row[FIGURE]) for row in rows if row["system"] == name]
        if values:
            mean, low, high = statistics.mean(values), min(values), max(values)
            yield Dot(mean, low, high, f"s-{name}", f"{name}: {mean:.2f} ({low:.2f} to {high:.2f})")
