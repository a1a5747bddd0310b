"""docs/science/puzzles.md and its picture: figures of `encoder-variants`, `batchnorm-gap` and `vector-arithmetic`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint.reports.svg import WIDTH, Axis, Plot, standalone
from faultprint_lab.benchmark.results_file import read
from faultprint_lab.locations import RESULTS
from faultprint_lab.pages.markdown import table
from faultprint_lab.pages.puzzles_text import PUZZLES, Puzzle
from faultprint_lab.pages.results import HEADS, about, cells, legend, seeds_of

COMMITTED: Final = RESULTS / "puzzles.json"
_HEAD: Final = """# Open questions of the 2017 baseline

The [2017 baseline](../guide/glossary.md) left questions open. This page answers them by measurements: one thing is changed at a
time, and every training gets the same seconds of one core. The page is generated from `lab/results/puzzles.json`, which is the
output of

    faultprint benchmark --protocol encoder-variants --protocol batchnorm-gap --protocol vector-arithmetic --seeds 4,5 \\
        --size seconds=30 --size evaluation_networks=6 --size evaluation_days=3 --size history_days=1 \\
        --size temporal_networks=0 --out lab/results/puzzles.json

Thirty seconds are little, above all for the network of the 2017 baseline, and two seeds are few. The figures compare what each
choice reaches in that time, not what it could reach.
"""
_SHOWN: Final = (("raw", "mixed"), ("raw, one network", "one"))
"""Systems in the picture, of the first seed, and the CSS classes of their lines."""
_MODES: Final = (("satisfied", "training"), ("satisfied_inference", "inference"))
_SMOOTHED: Final = 6
"""Measurements on either side that a point of the picture averages."""
_HEIGHT: Final = 260
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#57606a}.axis{stroke:#8c959f}polyline{fill:none;stroke-width:2}"
    ".mixed{stroke:#0969da}.one{stroke:#cf222e}.inference{stroke-dasharray:5 4}"
)

Row = Mapping[str, Any]


def page(path: Path = COMMITTED) -> str:
    """Markdown. Raises TableError for a file that holds no figures."""
    metadata, rows = read(path)
    sections = [_section(puzzle, rows) for puzzle in PUZZLES]
    return "\n".join([_HEAD, *sections, "## The figures\n", about(metadata, rows), *legend(rows), ""])


def _section(puzzle: Puzzle, rows: Sequence[Row]) -> str:
    lines = []
    for system in puzzle.systems:
        selected = [row for row in rows if (row["protocol"], row["system"]) == (puzzle.protocol, system)]
        if selected:
            lines.append(cells(system, selected, puzzle.figures, seeds_of(rows)))
    figures = table(["", *(HEADS[name] for name in puzzle.figures)], lines)
    return f"## {puzzle.question}\n\n{puzzle.answer}\n{figures}"


def picture(path: Path = COMMITTED) -> str:
    """SVG: the share of satisfied triplets over the steps of two trainings, in both modes. Raises as `page` does."""
    rows = read(path)[1]
    histories = [(_history(rows, system), kind) for system, kind in _SHOWN]
    plot = Plot(Axis(0, max(history["step"][-1] for history, _ in histories)), Axis(0, 1), WIDTH, _HEIGHT)
    lines = [
        plot.line([*zip(history["step"], _smoothed(history[name]), strict=True)], f"{kind} {mode}")
        for history, kind in histories
        for name, mode in _MODES
    ]
    description = "Share of satisfied triplets over the steps of a training, in training mode and in inference mode"
    return standalone(plot.render(description, lines), _STYLE)


def _history(rows: Sequence[Row], system: str) -> Mapping[str, list[float]]:
    """The measurements during the training of a system, by name, and their steps."""
    first = next(row for row in rows if (row["protocol"], row["system"]) == ("batchnorm-gap", system))
    history: Mapping[str, list[float]] = first["looks"]
    return history


def _smoothed(values: Sequence[float]) -> list[float]:
    return [statistics.mean(values[max(i - _SMOOTHED, 0) : i + _SMOOTHED + 1]) for i in range(len(values))]
