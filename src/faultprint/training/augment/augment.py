"""Faults of which there are few examples, told again: put over normal traffic of every node that is trained on.

Of one example an encoder learns the node that it was seen on. Told of many nodes, stronger and milder, shorter and longer, and not
always in all that it did, it is an example of the fault. What is told is departures from normal, so this is the same arithmetic
that carries a reference from network to network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

import numpy as np
import polars as pl

from faultprint.arrays import Float32Array
from faultprint.tables import RECOVERY
from faultprint.training.augment.synthesis import FaultSynthesizer
from faultprint.training.augment.template import FaultTemplate
from faultprint.training.data.dataset import TrainingSet, node_of
from faultprint.training.data.overlaid import Overlaid
from faultprint.windows.labelling import MinuteConditions, minute_conditions
from faultprint.windows.series import Series

_TIMES: Final = 2
"""How often each fault is told of each node."""
_BEFORE: Final = 20
_AFTER: Final = 30
"""Normal minutes around what is told."""
_RECOVERY: Final = 3
"""Minutes after it that count as recovery: the mean minutes that it was told by reach beyond its end."""
_PACE: Final = (0.6, 1.6)
_LENGTHS: Final = (12, 90)
"""Times the example's length, and minutes in all."""


def augmented(
    material: TrainingSet,
    labels: pl.DataFrame,
    tales: Sequence[FaultTemplate],
    rng: np.random.Generator,
    but: frozenset[str],
) -> TrainingSet:
    """The material in which the nodes of all networks `but` these bear the faults of the tales, too, wherever there is room."""
    telling = FaultSynthesizer(material.catalogue, material.kinds, rng)
    nodes = []
    for node in material.nodes:
        if node.series.network not in but:
            known = minute_conditions(labels, node.series, material.conditions[1:])
            told = _told(node.series, known, [*_drawn(tales, rng)], telling, rng)
            node = node_of(*told, material.kinds, material.window) or node
        nodes.append(node)
    return replace(material, nodes=tuple(nodes))


def _drawn(tales: Sequence[FaultTemplate], rng: np.random.Generator) -> Iterator[FaultTemplate]:
    """What is told of a node: of each fault as much, in any order."""
    by_fault: dict[str, list[FaultTemplate]] = {}
    for one in tales:
        by_fault.setdefault(one.condition, []).append(one)
    faults = sorted(by_fault)
    for _ in range(_TIMES):
        for index in rng.permutation(len(faults)):
            own = by_fault[faults[index]]
            yield own[rng.integers(len(own))]


def _told(
    one: Series,
    known: MinuteConditions,
    tales: Sequence[FaultTemplate],
    telling: FaultSynthesizer,
    rng: np.random.Generator,
) -> tuple[Series, MinuteConditions]:
    """The node with the tales told where it is normal, and what its minutes then bear."""
    code, free = known.code.copy(), known.normal & one.observed
    told: dict[int, Float32Array] = {}
    for tale in tales:
        length = int(np.clip(len(tale.level) * rng.uniform(*_PACE), *_LENGTHS))
        room = _BEFORE + length + _AFTER
        starts = np.flatnonzero(np.convolve(free, np.ones(room, np.int64))[room - 1 : len(free)] == room)
        if not len(starts):
            continue
        begin = int(rng.choice(starts))
        start, stop = begin + _BEFORE, begin + _BEFORE + length
        told[start] = telling.told(one.part(begin, begin + room).values, slice(_BEFORE, _BEFORE + length), tale)
        code[start:stop] = known.conditions.index(tale.condition)
        code[stop : stop + _RECOVERY] = known.conditions.index(RECOVERY)
        free[begin : stop + _RECOVERY] = False
    # Made so of whatever stands behind the series: it may be a file.
    values = cast("Float32Array", Overlaid(one.values, told))
    return replace(one, values=values), replace(known, code=code)
