"""docs/puzzles.md and its picture, from the committed figures of the protocols `puzzles`, `gap` and `arithmetic`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.evaluate.protocols.puzzles.gap import Look
from faultprint.evaluate.protocols.rows import read
from faultprint.evaluate.results_page import HEADS, about, cells, legend, seeds_of
from faultprint.evaluate.svg import WIDTH, Axis, Plot
from faultprint.features.catalogue_page import table

COMMITTED: Final = Path(__file__).parents[3] / "benchmarks" / "results" / "puzzles.json"
_HEAD: Final = """# The posts' puzzles

The posts that this began with left questions open. Here they are measured, one thing changed at a time, all else the same and each
training given the same seconds of one core. This page is generated from `benchmarks/results/puzzles.json`, which is written by

    faultprint evaluate --protocol puzzles --protocol gap --protocol arithmetic --seeds 4,5,6 --size seconds=30 \\
        --size meet_networks=6 --size meet_days=3 --size history_days=1 --size later_networks=0 \\
        --json benchmarks/results/puzzles.json

Half a minute is little, for the posts' network above all: what is compared is what each way makes of it, and not what it could come
to.
"""
_WORTH: Final = ("macro_f1_exposed", "false_alarms_per_day", "episodes_found", "satisfied")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A question, its answer, and the rows and figures that it rests on."""

    question: str
    answer: str
    protocol: str
    systems: tuple[str, ...]
    figures: tuple[str, ...]


PUZZLES: Final = (
    Puzzle(
        "Why does BatchNorm look so well in training and so bad in inference?",
        """TODO
""",
        "gap",
        (
            "raw",
            "raw, one network",
            "raw, layer norm",
            "normalised",
            "normalised, one network",
            "normalised, layer norm",
            "raw, 512 units",
        ),
        (
            "satisfied",
            "satisfied_inference",
            "satisfied_mixed",
            "satisfied_reestimated",
            "loss_training",
            "loss_inference",
            "sampled_f1",
            "sampled_f1_reestimated",
        ),
    ),
    Puzzle(
        "And BatchNorm in the default encoder?",
        """TODO
""",
        "puzzles",
        ("default", "batch norm"),
        _WORTH,
    ),
    Puzzle(
        "Random triplets or mined ones?",
        """TODO
""",
        "puzzles",
        ("random triplets", "every triplet", "hardest triplets", "default"),
        _WORTH,
    ),
    Puzzle(
        "Three numbers or more?",
        """TODO
""",
        "puzzles",
        ("3 numbers", "8 numbers", "16 numbers", "every triplet"),
        _WORTH,
    ),
    Puzzle(
        "A sigmoid, the unit sphere, or no bound?",
        """TODO
""",
        "puzzles",
        ("every triplet", "sigmoid", "unit sphere"),
        _WORTH,
    ),
    Puzzle(
        "The lossless triplet loss or the ordinary one?",
        """TODO
""",
        "puzzles",
        ("sigmoid, random", "sigmoid, lossless", "3 sigmoids, random", "3 sigmoids, lossless"),
        _WORTH,
    ),
    Puzzle(
        "King − man + woman?",
        """TODO
""",
        "arithmetic",
        ("posts", "posts, 64 units", "one profile", "no profile", "default"),
        ("carried", "carried_unmoved", "carried_by_chance"),
    ),
)

_SVG: Final = "http://www.w3.org/2000/svg"
_SHOWN: Final = (("raw", "mixed"), ("raw, one network", "one"))
"""The ways of training in the picture, of the first seed, and the classes of their lines."""
_MODES: Final = (
    (Look._fields.index("satisfied"), "training"),
    (Look._fields.index("satisfied_inference"), "inference"),
)
_WIDE: Final = 6
"""Looks on either side that a point of the picture is the mean of."""
_HEIGHT: Final = 260
_STYLE: Final = (
    "<style>text{font:12px sans-serif;fill:#57606a}.axis{stroke:#8c959f}polyline{fill:none;stroke-width:2}"
    ".mixed{stroke:#0969da}.one{stroke:#cf222e}.inference{stroke-dasharray:5 4}</style>"
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
    return f"## {puzzle.question}\n\n{shown}\n{puzzle.answer}"


def picture(path: Path = COMMITTED) -> str:
    """SVG: the share of satisfied triplets over the steps of two trainings, in either mode. Raises as `page` does."""
    rows = read(path)[1]
    courses = [(_course(rows, system), kind) for system, kind in _SHOWN]
    plot = Plot(Axis(0, max(course[-1, 0] for course, _ in courses)), Axis(0, 1), WIDTH, _HEIGHT)
    lines = [
        plot.line([*zip(course[:, 0].tolist(), _smooth(course[:, 1 + column]), strict=True)], f"{kind} {mode}")
        for course, kind in courses
        for column, mode in _MODES
    ]
    words = "Share of satisfied triplets over the steps of a training, in training mode and in inference mode"
    # By itself, unlike the pictures within pages, it has to say what it is.
    return plot.drawn(words, [_STYLE, *lines]).replace("<svg ", f'<svg xmlns="{_SVG}" ', 1)


def _course(rows: Sequence[Row], system: str) -> npt.NDArray[np.float64]:
    """(N, 1 + figures of a look): the steps at which was looked, and what was seen."""
    first = next(row for row in rows if (row["protocol"], row["system"]) == ("gap", system))
    return np.array(first["looks"], np.float64)


def _smooth(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(values[max(i - _WIDE, 0) : i + _WIDE + 1].mean()) for i in range(len(values))]
