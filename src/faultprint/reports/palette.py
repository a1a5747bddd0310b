"""The colours of conditions: one palette for all pages.

`stylesheet` gives it to a page as CSS custom properties, so that style sheets and scripts name no colour of a condition.

    --fault-1 … --fault-16            colours of the faults, in the order in which a page lists them
    --fault-1-ink … --fault-16-ink    black or white, for text on that colour
    --normal, --unknown, --waiting    colours of normal traffic, of unknown faults, and of warming up

The sixteen fault colours, the neutral colours and the page backgrounds differ pairwise by a CIEDE2000 difference of 11 or
more, with normal vision and with protanopia, deuteranopia and tritanopia (`tests/reports/test_palette.py`). Every fault also
has a number, which pages show with the colour: from the seventeenth fault on, colours repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FAULT_COLOURS: Final = (
    "#aa6622",
    "#2233ff",
    "#ffbbff",
    "#99ccaa",
    "#224433",
    "#442255",
    "#997788",
    "#aa99bb",
    "#1100aa",
    "#9966ff",
    "#33ee88",
    "#7777aa",
    "#775533",
    "#335599",
    "#662200",
    "#aa99ff",
)
LIGHT: Final[Mapping[str, str]] = {"card": "#ffffff", "normal": "#4fa878", "unknown": "#e3a02c", "waiting": "#c9ced4"}
DARK: Final[Mapping[str, str]] = {"card": "#1c2125", "normal": "#3d8a63", "unknown": "#c98a1d", "waiting": "#4a525a"}
"""The background of pictures, and the neutral colours, in the light and in the dark scheme."""
_BLACK: Final = "#000000"
_WHITE: Final = "#ffffff"


def stylesheet() -> str:
    """The palette as CSS custom properties, with a dark scheme."""
    faults = {}
    for number, colour in enumerate(FAULT_COLOURS, 1):
        faults[f"fault-{number}"] = colour
        faults[f"fault-{number}-ink"] = ink(colour)
    return (
        f":root {{ {_properties({**faults, **LIGHT})} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_properties(DARK)} }} }}\n"
    )


def ink(colour: str) -> str:
    """Black or white, whichever has the larger contrast to the colour (WCAG 2.2, contrast ratio)."""
    luminance = relative_luminance(colour)
    return _WHITE if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else _BLACK


def relative_luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour such as "#aa6622", 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _properties(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
