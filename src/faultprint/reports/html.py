"""The report: one HTML file with everything in it, which asks no other host for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from faultprint.files import replacing

MEANINGS: Final = {
    "macro_f1_exposed": "F1 of each condition (the harmonic mean of the share of its verdicts that were right and the share of its "
    "windows that got it), averaged over normal and all faults that occurred, so that a rare fault counts as much as "
    "normal. Clear windows are the normal ones and those with ten or more faulty minutes.",
    "macro_f1": "The same over all windows, also those that have seen one faulty minute of sixty. A window counts as faulty if any "
    "of its minutes is, so nobody reaches 1: the first minutes of a fault look like a hiccup.",
    "false_alarms_per_day": "Alarms that began while the whole last hour was normal, a node and day of such time. An alarm is an "
    "unbroken run of one verdict other than normal; unknown counts. Harmless disturbances belong to normal.",
    "episodes_found": "Share of the faults that got their right name at least once from the onset to an hour after the end. A "
    "wrong name or unknown does not count.",
    "delay_median_minutes": "From the onset of a fault to the end of the minute in which it first got its right name, of the "
    "faults found; half of them were named within this time.",
    "delay_p90_minutes": "Nine of ten of the faults found were named within this time.",
    "clearing_median_minutes": "From the end of a fault to the minute in which it is first told to be over: by the last minutes "
    "alone where a system can judge them, else when its verdict returns to normal, which the window keeps from it for an hour.",
}
WORDS: Final = {
    "macro_f1_exposed": "1 is perfect: every condition named, none invented",
    "macro_f1": "as above, barely begun faults counted in",
    "false_alarms_per_day": "how often it cries wolf",
    "episodes_found": "faults that got their right name while they could be seen",
    "delay_median_minutes": "half of the faults found were named by then",
    "delay_p90_minutes": "nine of ten were",
    "clearing_median_minutes": "after the fault's end, until it is told to be over",
}


def write(data: dict[str, Any], path: Path) -> None:
    """Write the report of `data` (`evaluate.picture`) to `path`, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(render(data), encoding="utf-8")


def render(data: dict[str, Any]) -> str:
    """The page."""
    return filled("report", ["report.css"], {"meanings": MEANINGS, "words": WORDS, **data})


def filled(page: str, styles: Sequence[str], data: dict[str, Any]) -> str:
    """PAGE.html with these styles, Plotly, PAGE.js and the data in it.

    Whatever stands in `data` stays data: it reaches the page as JSON, never as markup or script.
    """
    folder = files("faultprint.reports")
    parts = {
        "/*{{style}}*/": "".join(folder.joinpath(style).read_text("utf-8") for style in styles),
        "/*{{plotly}}*/": folder.joinpath("vendor/plotly-gl3d.min.js").read_text("utf-8"),
        "/*{{script}}*/": folder.joinpath(f"{page}.js").read_text("utf-8"),
        "/*{{data}}*/": embeddable(data),
    }
    return woven(folder.joinpath(f"{page}.html").read_text("utf-8"), parts)


def woven(rest: str, parts: Mapping[str, str]) -> str:
    """The page `rest` with every mark of `parts` replaced; what looks like a mark within a part stays as it is."""
    pieces = []
    for mark, content in sorted(parts.items(), key=lambda part: rest.index(part[0])):
        before, rest = rest.split(mark, 1)
        pieces += [before, content]
    return "".join([*pieces, rest])


def embeddable(data: Any) -> str:
    """JSON that may stand inside a script element: no "<", "&" or line separator in the clear."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain(text: str) -> str:
    """Text for the chart's labels, in which Plotly would take angle brackets for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
