"""Where windows can be drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from faultprint.arrays import IntArray
from faultprint.errors import UsageError
from faultprint.training.data.dataset import NORMAL_CODE, TrainingSet

LEAST_EXPOSED: Final = 10
"""Faulty minutes a window must hold to be drawn: those with fewer wreck hard comparisons, and teach little."""


class WindowIndex:
    """Where the windows of every condition are: condition → network → (node, last minute) rows, and the same by node."""

    def __init__(
        self,
        material: TrainingSet,
        least_exposed: int = LEAST_EXPOSED,
        within: Mapping[int, range] | None = None,
    ) -> None:
        """`within`: the last minutes that count, by node; of nodes that are not in it, none.

        Raises UsageError where a batch could hold no two conditions.
        """
        self.places: list[dict[str, IntArray]] = []
        self.by_node: list[dict[int, IntArray]] = []
        for code in range(len(material.conditions)):
            found: dict[str, list[IntArray]] = {}
            for i, node in enumerate(material.nodes):
                if within is not None and i not in within:
                    continue
                part = slice(within[i].start, within[i].stop) if within is not None else slice(None)
                here = node.code[part] == code
                if code != NORMAL_CODE:
                    here &= node.exposed[part] >= least_exposed
                ends = np.flatnonzero(here) + (part.start or 0)
                if len(ends):
                    rows = np.column_stack((np.full(len(ends), i), ends)).astype(np.int64)
                    found.setdefault(node.series.network, []).append(rows)
            self.places.append({network: np.concatenate(rows) for network, rows in sorted(found.items())})
            self.by_node.append(_by_node(self.places[-1].values()))
        self.codes: list[int] = [code for code, found in enumerate(self.places) if found]
        if within is None and len(self.codes) < 2:
            raise UsageError(
                f"Only {len(self.codes)} condition has windows to train on, but telling apart needs two; label normal traffic "
                f"and faults of {least_exposed} minutes or more."
            )

    def draw(self, code: int, rng: np.random.Generator) -> tuple[int, int]:
        """(node, last minute) of a window of one of `codes`: every network as likely, then every window."""
        networks = list(self.places[code])
        rows = self.places[code][networks[rng.integers(len(networks))]]
        node, end = rows[rng.integers(len(rows))]
        return int(node), int(end)


def _by_node(piles: Iterable[IntArray]) -> dict[int, IntArray]:
    """Node → its (node, last minute) rows, in order of the nodes: parts of the piles, not copies."""
    parts = [part for rows in piles for part in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)]
    return {int(part[0, 0]): part for part in sorted(parts, key=lambda part: int(part[0, 0]))}
