"""What training works on: every node's minutes, and what every window of them bears.

A node's minutes may be in memory or in a file (`training.history`); what is made of them is made of a stretch at a time.
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
    check_nodes,
    faults,
    minute_conditions,
    window_conditions,
)
from faultprint.windows.levels import SPANS, Kinds, levels
from faultprint.windows.normalise import normalise
from faultprint.windows.profile import LEAST_MINUTES, Profile, profile
from faultprint.windows.series import (
    Series,
    series,
)

NORMAL_CODE: Final = 0
"""The code of normal in every node's `code`; faults follow from 1 on."""
UNSCORED: Final = -1
STRETCH: Final = 4 * 1440
"""Minutes of a node that are worked on at once, however many there are."""


@dataclass(frozen=True, slots=True)
class TrainingNode:
    """One node, ready to draw from.

    `code` (T,) int16: what the window that ends at each minute bears (0 normal, 1 … the faults, -1 unscored or no full
    history); `exposed` (T,) its faulty minutes; `normal` (T,) the minutes that are normal and observed; `hours` (·,) the
    first minutes of unbroken hours of them; `whole` the profile of all of them (of STRETCH, evenly spread, where they are more).
    """

    series: Series
    code: npt.NDArray[np.int16]
    exposed: npt.NDArray[np.int16]
    normal: BoolArray
    hours: IntArray
    whole: Profile

    def profile(self, start: int, stop: int, kinds: Kinds, least: int = LEAST_MINUTES) -> Profile:
        """Of the normal minutes from `start` up to `stop`, `least` of them at least."""
        part = self.series.part(start, stop)
        return profile(levels(part, kinds, SPANS[:1]), kinds, self.normal[start : start + len(part)], least)

    def inputs(self, start: int, stop: int, kinds: Kinds, own: Profile, people: Profile) -> Float32Array:
        """(stop - start, S · 2 · F) the input of these minutes, the same bits whichever others are asked for with them."""
        begin = max(start - max(SPANS) + 1, 0)
        found = levels(self.series.part(begin, stop), kinds, SPANS).part(start - begin, stop - begin)
        return normalise(found, kinds, own, people)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """`conditions` is normal and then the faults; a node's codes index it."""

    catalogue: Catalogue
    kinds: Kinds
    window: int
    conditions: tuple[str, ...]
    nodes: tuple[TrainingNode, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks' names, sorted."""
        return tuple(sorted({node.series.network for node in self.nodes}))

    def of(self, networks: frozenset[str]) -> TrainingSet:
        """The nodes of these networks."""
        chosen = tuple(node for node in self.nodes if node.series.network in networks)
        return TrainingSet(self.catalogue, self.kinds, self.window, self.conditions, chosen)


def training_set(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    catalogue: Catalogue,
    *,
    window: int = 60,
    interval_us: int = MINUTE_US,
    further: Iterable[str] = (),
) -> TrainingSet:
    """From a MINUTES (or its nodes' series) and a LABELS table. Nodes without an unbroken hour of normal traffic are left out.
    `further` are faults beside those that the labels name.

    Raises TableError, LabelError, or UsageError where nothing can be learnt: no fault, no node with a normal hour.
    """
    every = series(minutes, catalogue.names, interval_us) if isinstance(minutes, pl.DataFrame) else minutes
    check_nodes(labels, [one.node for one in every])
    names = faults(labels)
    if not names:
        raise LabelError("The labels name no fault, so there is nothing to tell apart; add labels of faults.")
    names = tuple(sorted({*names, *further}))
    kinds = Kinds.of(catalogue)
    nodes = [node_of(one, minute_conditions(labels, one, names), kinds, window) for one in every]
    kept = tuple(node for node in nodes if node is not None)
    if not kept:
        raise UsageError(
            f"No node has {window} minutes of normal traffic in a row, which a profile needs; label such stretches 'normal'."
        )
    return TrainingSet(catalogue, kinds, window, ("normal", *names), kept)


def node_of(one: Series, conditions: MinuteConditions, kinds: Kinds, window: int) -> TrainingNode | None:
    """A node whose minutes are known to have had these conditions; None without an unbroken hour of normal traffic."""
    normal = conditions.normal & one.observed
    unbroken = (
        np.convolve(normal, np.ones(window, dtype=np.int64))[window - 1 : len(one)]
        if len(one) >= window
        else normal[:0]
    )
    hours = np.flatnonzero(unbroken == window)
    if not len(hours) or int(normal.sum()) < LEAST_MINUTES:
        return None
    found = window_conditions(conditions, window)
    code = np.full(len(one), UNSCORED, dtype=np.int16)
    exposed = np.zeros(len(one), dtype=np.int16)
    # The table's codes are normal, recovery, maintenance, faults; here normal, faults.
    code[found.last_minute] = np.where(found.code > 0, found.code - 2, found.code)
    exposed[found.last_minute] = found.exposed
    code[~one.observed] = UNSCORED
    return TrainingNode(one, code, exposed, normal, hours, _whole(one, normal, kinds))


def _whole(one: Series, normal: BoolArray, kinds: Kinds) -> Profile:
    chosen = np.flatnonzero(normal)
    if len(chosen) > STRETCH:
        chosen = chosen[np.linspace(0, len(chosen) - 1, STRETCH).astype(np.int64)]
    values = []
    for start in range(0, len(one), STRETCH):
        part = one.part(start, start + STRETCH)
        values.append(part.values[chosen[(chosen >= start) & (chosen < start + len(part))] - start])
    drawn = replace(one, values=np.concatenate(values), observed=np.ones(len(chosen), dtype=np.bool_))
    return profile(levels(drawn, kinds, SPANS[:1]), kinds, drawn.observed)
