"""What goes wrong with data between a network and its minutes, done to a MINUTES table, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray
from faultprint.features.catalogue import Catalogue

GAP_SHARE: Final = 0.1
GAP_MINUTES: Final = 5
DOUBLED_SHARE: Final = 0.1
DOUBLED_MINUTES: Final = 30
LARGEST_SHIFT: Final = 0.3

Corruption = Callable[[pl.DataFrame, Catalogue, np.random.Generator], pl.DataFrame]


def gaps(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """GAP_SHARE of each node's minutes are missing, in gaps of GAP_MINUTES on average."""
    return _by_node(minutes, lambda rows: rows.filter(pl.Series(~_stretches(len(rows), GAP_SHARE, GAP_MINUTES, rng))))


def doubled(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """In DOUBLED_SHARE of each node's minutes, DOUBLED_MINUTES at a time, everything is seen twice: counts are twice as high."""
    counts = [feature.name for feature in catalogue.features if feature.kind == "count"]

    def twice(rows: pl.DataFrame) -> pl.DataFrame:
        factor = pl.Series("factor", 1 + _stretches(len(rows), DOUBLED_SHARE, DOUBLED_MINUTES, rng), dtype=pl.Float32)
        return rows.with_columns(pl.col(counts) * factor)

    return _by_node(minutes, twice)


def jitter(minutes: pl.DataFrame, catalogue: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """Each minute's clock is late by up to LARGEST_SHIFT of a minute: as much of it is the minute before's.

    Features are mixed as if the traffic within a minute were even; where a minute before has no value, nothing is mixed.
    """

    def shifted(rows: pl.DataFrame) -> pl.DataFrame:
        share = pl.Series("share", rng.uniform(0, LARGEST_SHIFT, len(rows)), dtype=pl.Float32)
        every = [pl.col(name) for name in catalogue.names]
        return rows.with_columns([pl.coalesce(one * (1 - share) + one.shift(1) * share, one) for one in every])

    return _by_node(minutes, shifted)


CORRUPTIONS: Final[Mapping[str, Corruption]] = {"gaps": gaps, "doubled": doubled, "jitter": jitter}


def _by_node(minutes: pl.DataFrame, change: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    parts: Sequence[pl.DataFrame] = minutes.sort("node", "minute").partition_by("node", maintain_order=True)
    return pl.concat([change(part) for part in parts])


def _stretches(length: int, share: float, minutes: int, rng: np.random.Generator) -> BoolArray:
    """(length,) bool: about `share` of it true, in runs of geometric length, `minutes` on average."""
    ends, begins = 1 / minutes, share / (1 - share) / minutes
    inside = np.zeros(length, np.bool_)
    now = bool(rng.random() < share)
    for index, draw in enumerate(rng.random(length)):
        now = draw >= ends if now else draw < begins
        inside[index] = now
    return inside
