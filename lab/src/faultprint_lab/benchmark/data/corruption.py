"""Damage to the data between a network and its minutes: functions on a MINUTES table, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray
from faultprint.features.catalogue import Catalogue

GAP_SHARE: Final = 0.1
GAP_MINUTES: Final = 5
DUPLICATED_SHARE: Final = 0.1
DUPLICATED_MINUTES: Final = 30
MAX_SHIFT: Final = 0.3

Corruption = Callable[[pl.DataFrame, Catalogue, np.random.Generator], pl.DataFrame]


def gaps(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """Remove GAP_SHARE of each node's minutes, in gaps of GAP_MINUTES on average."""
    return _by_node(minutes, lambda rows: rows.filter(pl.Series(~_random_runs(len(rows), GAP_SHARE, GAP_MINUTES, rng))))


def duplicated(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """Double all counts in DUPLICATED_SHARE of each node's minutes, in runs of DUPLICATED_MINUTES: traffic is captured twice."""
    counts = [feature.name for feature in catalogue.features if feature.kind == "count"]

    def doubled(rows: pl.DataFrame) -> pl.DataFrame:
        factor = pl.Series(
            "factor", 1 + _random_runs(len(rows), DUPLICATED_SHARE, DUPLICATED_MINUTES, rng), dtype=pl.Float32
        )
        return rows.with_columns(pl.col(counts) * factor)

    return _by_node(minutes, doubled)


def jitter(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """Shift each minute by up to MAX_SHIFT of a minute: it holds that share of the minute before.

    Features are mixed as if traffic were constant within a minute. A feature that the minute before lacks is not mixed.
    """

    def shifted(rows: pl.DataFrame) -> pl.DataFrame:
        share = pl.Series("share", rng.uniform(0, MAX_SHIFT, len(rows)), dtype=pl.Float32)
        columns = [pl.col(name) for name in catalogue.names]
        return rows.with_columns([pl.coalesce(each * (1 - share) + each.shift(1) * share, each) for each in columns])

    return _by_node(minutes, shifted)


CORRUPTIONS: Final[Mapping[str, Corruption]] = {"gaps": gaps, "duplicated": duplicated, "jitter": jitter}


def _by_node(minutes: pl.DataFrame, change: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    parts: Sequence[pl.DataFrame] = minutes.sort("node", "minute").partition_by("node", maintain_order=True)
    return pl.concat([change(part) for part in parts])


def _random_runs(length: int, share: float, minutes: int, rng: np.random.Generator) -> BoolArray:
    """(length,) bool: about `share` of it true, in runs of geometric length with a mean of `minutes`."""
    ends, begins = 1 / minutes, share / (1 - share) / minutes
    inside = np.zeros(length, np.bool_)
    is_inside = bool(rng.random() < share)
    for index, draw in enumerate(rng.random(length)):
        is_inside = draw >= ends if is_inside else draw < begins
        inside[index] = is_inside
    return inside
