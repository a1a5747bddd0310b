"""The training set: the minutes of every node, and the condition code of every window.

The minutes of a node are in memory or in a file (`training.data.disk_series`). Everything is computed in blocks of minutes, so
that a long series never has to be in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.errors import LabelError, UsageError
from faultprint.features.catalogue import Catalogue
from faultprint.units import MINUTE_US
from faultprint.windows.labelling import (
    MinuteConditions,
    check_label_nodes,
    fault_names,
    label_minutes,
    label_windows,
)
from faultprint.windows.levels import SPANS, FeatureKinds, compute_levels
from faultprint.windows.normalisation import normalise
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile, build_profile
from faultprint.windows.series import Series, build_series

NORMAL_CODE: Final = 0
"""Code of normal traffic in `TrainingNode.code`. Faults have the codes from 1 on."""
UNSCORED: Final = -1
BLOCK_MINUTES: Final = 4 * 1440
"""Largest number of minutes of a node that are processed at once."""


@dataclass(frozen=True, slots=True)
class TrainingNode:
    """One node of the training set.

    series          the minutes of the node, T of them
    code            (T,) condition code of the window that ends at each minute: 0 normal, 1 and up faults,
                    -1 unscored or not enough history
    fault_minutes   (T,) number of faulty minutes in that window
    normal          (T,) true for minutes that are normal and observed
    normal_hours    (H,) first minutes of all unbroken normal intervals that are one window long
    full_profile    profile of all normal minutes (of at most BLOCK_MINUTES of them, evenly spread)
    """

    series: Series
    code: npt.NDArray[np.int16]
    fault_minutes: npt.NDArray[np.int16]
    normal: BoolArray
    normal_hours: IntArray
    full_profile: Profile

    def profile(self, start: int, stop: int, kinds: FeatureKinds, min_minutes: int = MIN_PROFILE_MINUTES) -> Profile:
        """The profile of the normal minutes from `start` up to `stop`. There must be at least `min_minutes` of them."""
        part = self.series.slice(start, stop)
        normal = self.normal[start : start + len(part)]
        return build_profile(compute_levels(part, kinds, SPANS[:1]), kinds, normal, min_minutes)

    def inputs(self, start: int, stop: int, kinds: FeatureKinds, profile: Profile, population: Profile) -> Float32Array:
        """(stop - start, S · 2 · F) network input of these minutes. A minute gives the same bits in every block."""
        begin = max(start - max(SPANS) + 1, 0)
        levels = compute_levels(self.series.slice(begin, stop), kinds, SPANS).slice(start - begin, stop - begin)
        return normalise(levels, kinds, profile, population)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The nodes that a network is trained on.

    catalogue, kinds   the features and their kinds
    window             minutes of a window
    conditions         normal first, then the faults; the codes of a node are indices into it
    nodes              the nodes
    """

    catalogue: Catalogue
    kinds: FeatureKinds
    window: int
    conditions: tuple[str, ...]
    nodes: tuple[TrainingNode, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks, sorted."""
        return tuple(sorted({node.series.network for node in self.nodes}))

    def select(self, networks: frozenset[str]) -> TrainingSet:
        """The part of the training set with the nodes of these networks."""
        nodes = tuple(node for node in self.nodes if node.series.network in networks)
        return TrainingSet(self.catalogue, self.kinds, self.window, self.conditions, nodes)


def training_set(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    catalogue: Catalogue,
    *,
    window: int = 60,
    interval_us: int = MINUTE_US,
    extra_faults: Iterable[str] = (),
) -> TrainingSet:
    """Build the training set from a MINUTES table (or the series of its nodes) and a LABELS table.

    A node without one window of uninterrupted normal traffic is left out. `extra_faults` adds conditions that the labels do not
    name. Raises TableError, LabelError, or UsageError if the data allow no training.
    """
    every_series = build_series(minutes, catalogue.names, interval_us) if isinstance(minutes, pl.DataFrame) else minutes
    check_label_nodes(labels, [series.node for series in every_series])
    faults = fault_names(labels)
    if not faults:
        raise LabelError(
            "The labels contain no fault, so there is nothing to learn; add the labels of at least one fault."
        )
    faults = tuple(sorted({*faults, *extra_faults}))
    kinds = FeatureKinds.from_catalogue(catalogue)
    candidates = [
        training_node(series, label_minutes(labels, series, faults), kinds, window) for series in every_series
    ]
    nodes = tuple(node for node in candidates if node is not None)
    if not nodes:
        raise UsageError(
            f"No node has {window} minutes of normal traffic in a row, but a profile needs them; "
            "label such intervals as 'normal'."
        )
    return TrainingSet(catalogue, kinds, window, ("normal", *faults), nodes)


def training_node(
    series: Series, conditions: MinuteConditions, kinds: FeatureKinds, window: int
) -> TrainingNode | None:
    """The node of a series with labelled minutes, or None if no window of it is entirely normal."""
    normal = conditions.normal & series.observed
    normal_count = (
        np.convolve(normal, np.ones(window, dtype=np.int64))[window - 1 : len(series)]
        if len(series) >= window
        else normal[:0]
    )
    normal_hours = np.flatnonzero(normal_count == window)
    if not len(normal_hours) or int(normal.sum()) < MIN_PROFILE_MINUTES:
        return None
    windows = label_windows(conditions, window)
    code = np.full(len(series), UNSCORED, dtype=np.int16)
    fault_minutes = np.zeros(len(series), dtype=np.int16)
    # `windows` counts normal, recovery, maintenance, faults; a training node counts normal, faults.
    code[windows.last_minute] = np.where(windows.code > 0, windows.code - 2, windows.code)
    fault_minutes[windows.last_minute] = windows.fault_minutes
    code[~series.observed] = UNSCORED
    return TrainingNode(series, code, fault_minutes, normal, normal_hours, _full_profile(series, normal, kinds))


def _full_profile(series: Series, normal: BoolArray, kinds: FeatureKinds) -> Profile:
    """The profile of all normal minutes, thinned out evenly to at most BLOCK_MINUTES."""
    minutes = np.flatnonzero(normal)
    if len(minutes) > BLOCK_MINUTES:
        minutes = minutes[np.linspace(0, len(minutes) - 1, BLOCK_MINUTES).astype(np.int64)]
    values = []
    for start in range(0, len(series), BLOCK_MINUTES):
        part = series.slice(start, start + BLOCK_MINUTES)
        values.append(part.values[minutes[(minutes >= start) & (minutes < start + len(part))] - start])
    thinned = replace(series, values=np.concatenate(values), observed=np.ones(len(minutes), dtype=np.bool_))
    return build_profile(compute_levels(thinned, kinds, SPANS[:1]), kinds, thinned.observed)
