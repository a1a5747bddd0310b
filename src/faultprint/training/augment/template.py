"""An example of a fault as a tale that can be told of another node: what it did to its own, minute by minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array
from faultprint.training.data.dataset import TrainingNode, TrainingSet
from faultprint.windows.labelling import minute_conditions
from faultprint.windows.levels import SPANS, Kinds, levels
from faultprint.windows.profile import profile
from faultprint.windows.series import Series

_SMOOTH: Final = 5
"""Minutes whose mean stands for the one in their middle: what a fault does is to be told, not what chance did in that minute."""
_LONGEST: Final = 240
"""Minutes of an example that are told at most."""


@dataclass(frozen=True, slots=True)
class FaultTemplate:
    """`departure` (L, F) says how far each minute of the fault lay from what was normal for its node, `level` (L, F) where it lay
    itself, NaN in both where there was nothing to measure; in the units of `windows.levels`."""

    condition: str
    departure: Float32Array
    level: Float32Array


def extract_template(
    one: Series, normal: BoolArray, start: int, stop: int, condition: str, kinds: Kinds
) -> FaultTemplate:
    """Of the node's minutes `start` up to `stop` (the first _LONGEST of them), against its minutes `normal` (T,).

    Raises UsageError for too few normal minutes (`windows.profile`).
    """
    first, stop = max(start - _SMOOTH, 0), min(stop, start + _LONGEST)
    # A trailing mean, read so many minutes later, is one around its minute.
    later = _SMOOTH // 2
    found = levels(one.part(first, stop + later), kinds, (_SMOOTH,))
    at = np.minimum(np.arange(start, stop) - first + later, found.level.shape[1] - 1)
    level = np.where(found.support[0, at] > 0, found.level[0, at], np.float32(np.nan))
    quiet = np.flatnonzero(normal)
    around = one.part(int(quiet[0]), int(quiet[-1]) + 1)
    usual = profile(levels(around, kinds, SPANS[:1]), kinds, normal[quiet[0] : quiet[-1] + 1])
    # A share that normal traffic gives no occasion to measure is taken to have been 0, of anything else nothing is known.
    centre = np.where((usual.seen > 0) | kinds.ratio, usual.centre, np.float32(np.nan))
    return FaultTemplate(condition, level - centre, level)


def rare_faults(material: TrainingSet, labels: pl.DataFrame, most: int) -> list[FaultTemplate]:
    """Every example of the faults that the labels give at most so many examples of, by node and time."""
    found = [
        (node, *episode) for node in material.nodes for episode in _episodes(node, labels, material.conditions[1:])
    ]
    times = Counter(condition for _, condition, _, _ in found)
    return [
        extract_template(node.series, _usual(node, start, material.window), start, stop, condition, material.kinds)
        for node, condition, start, stop in found
        if times[condition] <= most
    ]


def _episodes(node: TrainingNode, labels: pl.DataFrame, names: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """(fault, first minute, the minute after its last) in order of time."""
    known = minute_conditions(labels, node.series, names)
    edges = np.flatnonzero(np.diff(known.code)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(known.code)], strict=True):
        if known.faulty[start]:
            yield known.conditions[known.code[start]], start, stop


def _usual(node: TrainingNode, start: int, window: int) -> BoolArray:
    """(T,) the unbroken hour of normal traffic that ends last before minute `start`, or begins first after it."""
    before = node.hours[node.hours + window <= start]
    hour = int(before[-1]) if len(before) else int(node.hours[node.hours > start][0])
    chosen = np.zeros(len(node.series), np.bool_)
    chosen[hour : hour + window] = True
    return chosen
