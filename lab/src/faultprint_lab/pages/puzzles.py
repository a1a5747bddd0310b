"""docs/science/puzzles.md and its picture, from the committed figures of the protocols `puzzles`, `gap` and `arithmetic`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint.reports.svg import WIDTH, Axis, Plot, alone
from faultprint_lab.benchmark.results_file import read
from faultprint_lab.locations import RESULTS
from faultprint_lab.pages.features import table
from faultprint_lab.pages.puzzles_text import PUZZLES, Puzzle
from faultprint_lab.pages.results import HEADS, about, cells, legend, seeds_of

COMMITTED: Final = RESULTS / "puzzles.json"
_HEAD: Final = """# The posts' puzzles

The posts that this began with left questions open. Here they are measured, one thing changed at a time, all else the same and each
training given the same seconds of one core. This page is generated from `lab/results/puzzles.json`, which is written by

    faultprint evaluate --protocol puzzles --protocol gap --protocol arithmetic --seeds 4,5 --size seconds=30 \\
        --size meet_networks=6 --size meet_days=3 --size history_days=1 --size later_networks=0 \\
        --json lab/results/puzzles.json

Half a minute is little, for the posts' network above all, and two seeds are few: what is compared is what each way makes of that
time, and not what it could come to.
"""
_SHOWN: Final = (("raw", "mixed"), ("raw, one network", "one"))
"""The ways of training in the picture, of the first seed, and the classes of their lines."""
_MODES: Final = (("satisfied", "training"), ("satisfied_inference", "inference"))
_WIDE: Final = 6
"""Looks on either side that a point of the picture is the mean of."""
_HEIGHT: Final = 260
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#57606a}.axis{stroke:#8c959f}polyline{fill:none;stroke-width:2}"
    ".mixed{stroke:#0969da}.one{stroke:#cf222e}.inference{stroke-dasharray:5 4}"
)

Row = Mapping[str, Any]


def page(path: Path = COMMITTED) -> str:
    """Markdown. Raises TableError for a file that holds no figures."""
    written, rows = read(path)
    sections = [_section(puzzle, rows) for puzzle in PUZZLES]
    return "\n".join([_HEAD, *sections, "## The figures\n", about(written, rows), *legend(rows), ""])


def _section(puzzle: Puzzle, rows: Sequence[Row]) -> str:
    lines = []
    for system in puzzle.systems:
        own = [row for row in rows if (row["protocol"], row["system"]) == (puzzle.protocol, system)]
        if own:
            lines.append(cells(system, own, puzzle.figures, seeds_of(rows)))
    shown = table(["", *(HEADS[name] for name in puzzle.figures)], lines)
    return f"## {puzzle.question}\n\n{puzzle.answer}\n{shown}"


def picture(path: Path = COMMITTED) -> str:
    """SVG: the share of satisfied triplets over the steps of two trainings, in either mode. Raises as `page` does."""
    rows = read(path)[1]
    courses = [(_course(rows, system), kind) for system, kind in _SHOWN]
    plot = Plot(Axis(0, max(course["step"][-1] for course, _ in courses)), Axis(0, 1), WIDTH, _HEIGHT)
    lines = [
        plot.line([*zip(course["step"], _smooth(course[name]), strict=True)], f"{kind} {mode}")
        for course, kind in courses
        for name, mode in _MODES
    ]
    words = "Share of satisfied triplets over the steps of a training, in training mode and in inference mode"
    return alone(plot.drawn(words, lines), _STYLE)


def _course(rows: Sequence[Row], system: str) -> Mapping[str, list[float]]:
    """What was seen on the way, by name, and at which steps."""
    first = next(row for row in rows if (row["protocol"], row["system"]) == ("gap", system))
    course: Mapping[str, list[float]] = first["looks"]
    return course


def _smooth(values: Sequence[float]) -> list[float]:
    return [statistics.mean(values[max(i - _WIDE, 0) : i + _WIDE + 1]) for i in range(len(values))]
