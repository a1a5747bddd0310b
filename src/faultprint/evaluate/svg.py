"""Plain SVG of a few kinds: bars, and points on two axes. Words are escaped; colours come from the page's classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
_ROW: Final = 26
_NAMES: Final = 180
_MARGIN: Final = 44
_FOOT: Final = 28


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5


def bars(shares: Sequence[tuple[str, float]], about: str) -> str:
    """One bar a row: (name, share from 0 to 1), the largest as wide as there is room."""
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
class Plot:
    """Points on two axes, in a picture of `width` × `height`."""

    x: Axis
    y: Axis
    width: int
    height: int

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the picture."""
        across = _MARGIN + self.x.share(x) * (self.width - _MARGIN - 14)
        return across, 10 + (1 - self.y.share(y)) * (self.height - _FOOT - 10)

    def point(self, x: float, y: float, kind: str, words: str) -> str:
        """A dot of the class `kind`; `words` show on hovering."""
        across, down = self.at(x, y)
        size = 4 if kind == "trial" else 6
        return f'<circle class="{kind}" cx="{across:.1f}" cy="{down:.1f}" r="{size}"><title>{escape(words)}</title></circle>'

    def tick(self, x: float, words: str) -> str:
        """A stroke at the foot, for a point without a second value."""
        across, foot = self.at(x, self.y.low)
        return f'<path class="stopped" d="M{across:.1f} {foot - 5:.1f}v10"><title>{escape(words)}</title></path>'

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> str:
        """A line of the class `kind` from point to point."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        return f'<polyline class="{kind}" points="{places}"/>'

    def steps(self, points: Sequence[tuple[float, float]]) -> str:
        """A line that keeps its height up to the next point."""
        places = [self.at(*point) for point in points]
        path = "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
        return f'<path class="line" d="M{places[0][0]:.1f} {places[0][1]:.1f}{path}"/>'

    def drawn(self, about: str, parts: Iterable[str]) -> str:
        """The picture, with its axes' ends written on it."""
        left, foot = self.at(self.x.low, self.y.low)
        right, top = self.at(self.x.high, self.y.high)
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
