"""Simple SVG charts: bars, rows of dots, and points on two axes. Text is escaped; colours come from the classes of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
_SVG: Final = "http://www.w3.org/2000/svg"
_ROW: Final = 26
_NAMES: Final = 180
_MARGIN: Final = 44
_FOOT: Final = 28
_LINE: Final = 20
_LEGEND_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    def position(self, value: float) -> float:
        """The position of a value on the axis, 0 to 1."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5


def bars(shares: Sequence[tuple[str, float]], about: str) -> str:
    """One bar for each (name, share from 0 to 1). The largest bar has the full width."""
    most = max((share for _, share in shares), default=0.0) or 1.0
    room = WIDTH - _NAMES - 60
    parts = []
    for row, (name, share) in enumerate(shares):
        y, width = row * _ROW, room * share / most
        parts.append(f'<text class="name" x="{_NAMES - 10}" y="{y + 17}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{_NAMES}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" rx="3"/>')
        parts.append(f'<text x="{_NAMES + width + 8:.1f}" y="{y + 17}">{share:.0%}</text>')
    return _framed(WIDTH, len(shares) * _ROW, about, parts)


@dataclass(frozen=True, slots=True)
class Dot:
    """A value from 0 to 1 in a row of `dots`, with its range, the class `kind`, and a tooltip."""

    value: float
    low: float
    high: float
    kind: str
    tooltip: str


def dots(rows: Sequence[tuple[str, Sequence[Dot]]], kinds: Sequence[tuple[str, str]], about: str) -> str:
    """One row of dots for each name, on a scale from 0 to 1. Later dots are on top. A name without dots is a heading.

    `kinds` are (class, name) of the legend.
    """
    left, room, head = _NAMES + 50, WIDTH - _NAMES - 80, _ROW * (1 + math.ceil(len(kinds) / _LEGEND_COLUMNS))
    foot = head + len(rows) * _LINE + 6
    parts = []
    for number, (kind, name) in enumerate(kinds):
        x, y = left + number % _LEGEND_COLUMNS * room / _LEGEND_COLUMNS, 12 + number // _LEGEND_COLUMNS * _ROW
        parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="5"/><text x="{x + 9:.1f}" y="{y + 4}">{escape(name)}</text>'
        )
    for tenth in range(0, 11, 2):
        x = left + room * tenth / 10
        parts.append(f'<path class="axis" d="M{x:.1f} {head - 8}V{foot}"/>')
        parts.append(f'<text x="{x:.1f}" y="{foot + 16}" text-anchor="middle">{tenth / 10:g}</text>')
    for row, (name, shown) in enumerate(rows):
        y = head + row * _LINE + 6
        kind = "name" if shown else "heading"
        parts.append(f'<text class="{kind}" x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        for dot in shown:
            low, high = left + room * dot.low, left + room * dot.high
            parts.append(f'<path class="{dot.kind}" d="M{low:.1f} {y}H{high:.1f}"/>')
        for dot in shown:
            title = f"<title>{escape(dot.tooltip)}</title>"
            parts.append(
                f'<circle class="{dot.kind}" cx="{left + room * dot.value:.1f}" cy="{y}" r="5">{title}</circle>'
            )
    return _framed(WIDTH, foot + _FOOT, about, parts)


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart with two axes, of `width` × `height`."""

    x: Axis
    y: Axis
    width: int
    height: int

    def locate(self, x: float, y: float) -> tuple[float, float]:
        """The position of a point in the chart."""
        across = _MARGIN + self.x.position(x) * (self.width - _MARGIN - 14)
        return across, 10 + (1 - self.y.position(y)) * (self.height - _FOOT - 10)

    def point(self, x: float, y: float, kind: str, tooltip: str) -> str:
        """A dot of the class `kind`, with a tooltip."""
        across, down = self.locate(x, y)
        size = 4 if kind == "trial" else 6
        return f'<circle class="{kind}" cx="{across:.1f}" cy="{down:.1f}" r="{size}"><title>{escape(tooltip)}</title></circle>'

    def tick(self, x: float, tooltip: str) -> str:
        """A mark at the bottom, for a point without a second value."""
        across, foot = self.locate(x, self.y.low)
        return f'<path class="stopped" d="M{across:.1f} {foot - 5:.1f}v10"><title>{escape(tooltip)}</title></path>'

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> str:
        """A line of the class `kind` through the points."""
        coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.locate(*point) for point in points))
        return f'<polyline class="{kind}" points="{coordinates}"/>'

    def steps(self, points: Sequence[tuple[float, float]]) -> str:
        """A step line: it keeps its height up to the next point."""
        corners = [self.locate(*point) for point in points]
        path = "".join(f"H{x:.1f}V{y:.1f}" for x, y in corners[1:])
        return f'<path class="line" d="M{corners[0][0]:.1f} {corners[0][1]:.1f}{path}"/>'

    def render(self, about: str, parts: Iterable[str]) -> str:
        """The chart with labelled axes."""
        left, foot = self.locate(self.x.low, self.y.low)
        right, top = self.locate(self.x.high, self.y.high)
        frame = [
            f'<path class="axis" fill="none" d="M{left:.1f} {top:.1f}V{foot:.1f}H{right:.1f}"/>',
            f'<text x="{left - 6:.1f}" y="{foot + 4:.1f}" text-anchor="end">{self.y.low:.2f}</text>',
            f'<text x="{left - 6:.1f}" y="{top + 4:.1f}" text-anchor="end">{self.y.high:.2f}</text>',
            f'<text x="{left:.1f}" y="{foot + 20:.1f}">{self.x.low:g}</text>',
            f'<text x="{right:.1f}" y="{foot + 20:.1f}" text-anchor="end">{self.x.high:g}</text>',
        ]
        return _framed(self.width, self.height, about, [*frame, *parts])


def _framed(width: int, height: int, about: str, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(about)}">{"".join(parts)}</svg>'


def standalone(picture: str, style: str) -> str:
    """A chart for a file of its own, which needs the namespace and a style sheet."""
    head, _, rest = picture.partition(">")
    return f'{head} xmlns="{_SVG}"><style>{style}</style>{rest}'
