"""The index of all windows that a sampler can draw, by condition, network and node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from faultprint.arrays import IntArray
from faultprint.errors import UsageError
from faultprint.training.data.dataset import NORMAL_CODE, TrainingSet

MIN_FAULT_MINUTES: Final = 10
"""Faulty minutes that a window of a fault must contain. Windows with fewer look normal and disturb hard comparisons."""


class WindowIndex:
    """The windows of every condition.

    by_network   for every condition code: network name → (N, 2) rows of (node index, last minute)
    by_node      for every condition code: node index → the same rows
    codes        the condition codes that have windows
    """

    def __init__(
        self,
        training_set: TrainingSet,
        min_fault_minutes: int = MIN_FAULT_MINUTES,
        within: Mapping[int, range] | None = None,
    ) -> None:
        """`within` limits the index: node index → range of last minutes. A node that is not in it has no windows.

        Raises UsageError if fewer than two conditions have windows.
        """
        self.by_network: list[dict[str, IntArray]] = []
        self.by_node: list[dict[int, IntArray]] = []
        for code in range(len(training_set.conditions)):
            rows_by_network: dict[str, list[IntArray]] = {}
            for index, node in enumerate(training_set.nodes):
                if within is not None and index not in within:
                    continue
                part = slice(within[index].start, within[index].stop) if within is not None else slice(None)
                matches = node.code[part] == code
                if code != NORMAL_CODE:
                    matches &= node.fault_minutes[part] >= min_fault_minutes
                ends = np.flatnonzero(matches) + (part.start or 0)
                if len(ends):
                    rows = np.column_stack((np.full(len(ends), index), ends)).astype(np.int64)
                    rows_by_network.setdefault(node.series.network, []).append(rows)
            self.by_network.append({name: np.concatenate(rows) for name, rows in sorted(rows_by_network.items())})
            self.by_node.append(_split_by_node(self.by_network[-1].values()))
        self.codes: list[int] = [code for code, networks in enumerate(self.by_network) if networks]
        if within is None and len(self.codes) < 2:
            raise UsageError(
                f"Training needs windows of two conditions, but only {len(self.codes)} has any; label normal traffic and faults "
                f"of {min_fault_minutes} minutes or more."
            )

    def draw(self, code: int, rng: np.random.Generator) -> tuple[int, int]:
        """(node index, last minute) of a random window of a condition. Every network is equally likely, then every window."""
        networks = list(self.by_network[code])
        rows = self.by_network[code][networks[rng.integers(len(networks))]]
        node, end = rows[rng.integers(len(rows))]
        return int(node), int(end)


def _split_by_node(rows_by_network: Iterable[IntArray]) -> dict[int, IntArray]:
    """Node index → its rows, in order of the nodes. The values are views, not copies."""
    parts = [part for rows in rows_by_network for part in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)]
    return {int(part[0, 0]): part for part in sorted(parts, key=lambda part: int(part[0, 0]))}
