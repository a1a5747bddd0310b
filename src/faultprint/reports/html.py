"""HTML pages: each is one file that contains everything and loads nothing from other hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from faultprint.files import replacing
from faultprint.reports import palette

EXPLANATIONS: Final = {
    "macro_f1_exposed": "F1 is the harmonic mean of precision and recall of a condition. Macro-F1 is its mean over normal "
    "and all faults that occurred, so that a rare fault counts as much as normal. Clear windows are normal, or contain ten or "
    "more faulty minutes.",
    "macro_f1": "The same over all windows, also those with one faulty minute in sixty. A window counts as faulty if any of its "
    "minutes is, so 1 cannot be reached: the first minutes of a fault look like a short disturbance.",
    "false_alarms_per_day": "Alarms that began while the whole last hour was normal, per node and day of such time. An alarm is an "
    "uninterrupted run of one verdict other than normal; unknown counts. Harmless disturbances are normal.",
    "episodes_found": "Share of the faults with the correct name at least once from the onset to one hour after the end. A wrong "
    "name or unknown does not count.",
    "delay_median_minutes": "From the onset of a fault to the end of the first minute with the correct name, for detected faults. "
    "Half of them were named within this time.",
    "delay_p90_minutes": "90 % of the detected faults were named within this time.",
    "clearing_median_minutes": "From the end of a fault to the first minute in which it is reported as over. Systems that can "
    "judge the last minutes alone report it early. For the others it is the return of the verdict to normal, which takes up to one "
    "hour because of the window.",
}
SHORT_EXPLANATIONS: Final = {
    "macro_f1_exposed": "1 is perfect: every condition correct",
    "macro_f1": "as above, with the first minutes of faults",
    "false_alarms_per_day": "alarms during normal traffic",
    "episodes_found": "faults with the correct name at least once",
    "delay_median_minutes": "half of the detected faults were named by then",
    "delay_p90_minutes": "90 % of the detected faults were named by then",
    "clearing_median_minutes": "from the end of a fault until it is reported as over",
}


def write(data: dict[str, Any], path: Path) -> None:
    """Write the report of `data` to `path`. The file is replaced as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(render(data), encoding="utf-8")


def render(data: dict[str, Any]) -> str:
    """The HTML of the report."""
    return fill_page("report", ["report.css"], {"meanings": EXPLANATIONS, "words": SHORT_EXPLANATIONS, **data})


def fill_page(page: str, styles: Sequence[str], data: dict[str, Any]) -> str:
    """The template PAGE.html with the palette, these style sheets, Plotly, PAGE.js and the data.

    The data reach the page as JSON, never as markup or script.
    """
    folder = files("faultprint.reports")
    parts = {
        "/*{{style}}*/": stylesheet(styles),
        "/*{{plotly}}*/": folder.joinpath("vendor/plotly-gl3d.min.js").read_text("utf-8"),
        "/*{{script}}*/": folder.joinpath(f"{page}.js").read_text("utf-8"),
        "/*{{data}}*/": script_json(data),
    }
    return fill_template(folder.joinpath(f"{page}.html").read_text("utf-8"), parts)


def stylesheet(names: Sequence[str]) -> str:
    """The palette and these style sheets, as one text."""
    folder = files("faultprint.reports")
    return palette.stylesheet() + "".join(folder.joinpath(name).read_text("utf-8") for name in names)


def fill_template(rest: str, parts: Mapping[str, str]) -> str:
    """The template `rest` with every placeholder of `parts` replaced. A placeholder inside a part is not replaced."""
    pieces = []
    for mark, content in sorted(parts.items(), key=lambda part: rest.index(part[0])):
        before, rest = rest.split(mark, 1)
        pieces += [before, content]
    return "".join([*pieces, rest])


def script_json(data: Any) -> str:
    """JSON that is safe inside a script element: "<", ">", "&" and line separators are escaped."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def escape_plotly(text: str) -> str:
    """Text for labels of Plotly, which would interpret angle brackets as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
