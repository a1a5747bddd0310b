"""Fault templates: the effect of one example of a fault on its node, minute by minute, ready for transfer to other nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array
from faultprint.training.data.dataset import TrainingNode, TrainingSet
from faultprint.windows.labelling import label_minutes
from faultprint.windows.levels import SPANS, FeatureKinds, compute_levels
from faultprint.windows.profile import build_profile
from faultprint.windows.series import Series

_SMOOTHING_MINUTES: Final = 5
"""Each minute of a template is a mean over this many minutes, so that it shows the fault and not chance."""
_MAX_TEMPLATE_MINUTES: Final = 240


@dataclass(frozen=True, slots=True)
class FaultTemplate:
    """One example of a fault, L minutes long, in the units of `windows.levels`. NaN where nothing could be measured.

    condition   name of the fault
    deviation   (L, F) difference from the normal level of the node
    level       (L, F) level itself
    """

    condition: str
    deviation: Float32Array
    level: Float32Array


def extract_template(
    series: Series, normal: BoolArray, start: int, stop: int, condition: str, kinds: FeatureKinds
) -> FaultTemplate:
    """The template of the fault in minutes `start` up to `stop` (at most _MAX_TEMPLATE_MINUTES of them).

    `normal` (T,) marks the minutes that give the normal level. Raises UsageError if there are too few of them.
    """
    first, stop = max(start - _SMOOTHING_MINUTES, 0), min(stop, start + _MAX_TEMPLATE_MINUTES)
    # The levels are trailing means. A trailing mean that is read `delay` minutes later is centred on its minute.
    delay = _SMOOTHING_MINUTES // 2
    smoothed = compute_levels(series.slice(first, stop + delay), kinds, (_SMOOTHING_MINUTES,))
    rows = np.minimum(np.arange(start, stop) - first + delay, smoothed.level.shape[1] - 1)
    level = np.where(smoothed.event_count[0, rows] > 0, smoothed.level[0, rows], np.float32(np.nan))
    normal_minutes = np.flatnonzero(normal)
    begin, end = int(normal_minutes[0]), int(normal_minutes[-1]) + 1
    baseline = build_profile(compute_levels(series.slice(begin, end), kinds, SPANS[:1]), kinds, normal[begin:end])
    # A share without events in normal traffic is taken as 0. Of other features without values nothing is known.
    centre = np.where((baseline.value_count > 0) | kinds.ratio, baseline.centre, np.float32(np.nan))
    return FaultTemplate(condition, level - centre, level)


def rare_faults(training_set: TrainingSet, labels: pl.DataFrame, max_examples: int) -> list[FaultTemplate]:
    """The templates of all faults that have at most `max_examples` examples in the labels, in order of node and time."""
    faults = training_set.conditions[1:]
    examples = [(node, *example) for node in training_set.nodes for example in _examples(node, labels, faults)]
    counts = Counter(condition for _, condition, _, _ in examples)
    return [
        extract_template(
            node.series,
            _nearest_normal_hour(node, start, training_set.window),
            start,
            stop,
            condition,
            training_set.kinds,
        )
        for node, condition, start, stop in examples
        if counts[condition] <= max_examples
    ]


def _examples(node: TrainingNode, labels: pl.DataFrame, faults: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """(fault, first minute, minute after the last) of every fault of a node, in order of time."""
    minutes = label_minutes(labels, node.series, faults)
    edges = np.flatnonzero(np.diff(minutes.code)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(minutes.code)], strict=True):
        if minutes.faulty[start]:
            yield minutes.conditions[minutes.code[start]], start, stop


def _nearest_normal_hour(node: TrainingNode, start: int, window: int) -> BoolArray:
    """(T,) marks the last normal hour that ends before minute `start`, or else the first one that begins after it."""
    before = node.normal_hours[node.normal_hours + window <= start]
    hour = int(before[-1]) if len(before) else int(node.normal_hours[node.normal_hours > start][0])
    chosen = np.zeros(len(node.series), np.bool_)
    chosen[hour : hour + window] = True
    return chosen
