"""What training works on: every node's levels, and what every window of it bears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint.errors import LabelError, UsageError
from faultprint.features.catalogue import Catalogue
from faultprint.windows.labelling import check_nodes, faults, minute_conditions, window_conditions
from faultprint.windows.levels import SPANS, Kinds, Levels, levels
from faultprint.windows.profile import LEAST_MINUTES, Profile, profile
from faultprint.windows.series import MINUTE_US, Series, series

NORMAL_CODE: Final = 0
"""The code of normal in every node's `code`; faults follow from 1 on."""
UNSCORED: Final = -1


@dataclass(frozen=True, slots=True)
class Node:
    """One node, ready to draw from.

    `code` (T,) int16: what the window that ends at each minute bears (0 normal, 1 … the faults, -1 unscored or no full
    history); `exposed` (T,) its faulty minutes; `normal` (T,) the minutes that are normal and observed; `hours` (·,) the
    first minutes of unbroken hours of them; `whole` the profile of all of them.
    """

    series: Series
    levels: Levels
    code: npt.NDArray[np.int16]
    exposed: npt.NDArray[np.int16]
    normal: npt.NDArray[np.bool_]
    hours: npt.NDArray[np.int64]
    whole: Profile


@dataclass(frozen=True, slots=True)
class Material:
    """`conditions` is normal and then the faults; a node's codes index it."""

    catalogue: Catalogue
    kinds: Kinds
    window: int
    conditions: tuple[str, ...]
    nodes: tuple[Node, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks' names, sorted."""
        return tuple(sorted({node.series.network for node in self.nodes}))

    def of(self, networks: frozenset[str]) -> Material:
        """The nodes of these networks."""
        chosen = tuple(node for node in self.nodes if node.series.network in networks)
        return Material(self.catalogue, self.kinds, self.window, self.conditions, chosen)


def material(
    minutes: pl.DataFrame, labels: pl.DataFrame, catalogue: Catalogue, *, window: int = 60, interval_us: int = MINUTE_US
) -> Material:
    """From a MINUTES and a LABELS table. Nodes without an unbroken hour of normal traffic are left out.

    Raises TableError, LabelError, or UsageError where nothing can be learnt: no fault, no node with a normal hour.
    """
    every = series(minutes, catalogue.names, interval_us)
    check_nodes(labels, [one.node for one in every])
    names = faults(labels)
    if not names:
        raise LabelError("The labels name no fault, so there is nothing to tell apart; add labels of faults.")
    kinds = Kinds.of(catalogue)
    nodes = [_node(one, labels, names, kinds, window) for one in every]
    kept = tuple(node for node in nodes if node is not None)
    if not kept:
        raise UsageError(
            f"No node has {window} minutes of normal traffic in a row, which a profile needs; label such stretches 'normal'."
        )
    return Material(catalogue, kinds, window, ("normal", *names), kept)


def _node(one: Series, labels: pl.DataFrame, names: tuple[str, ...], kinds: Kinds, window: int) -> Node | None:
    conditions = minute_conditions(labels, one, names)
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
    every = levels(one, kinds, SPANS)
    return Node(one, every, code, exposed, normal, hours, profile(every, kinds, normal))
