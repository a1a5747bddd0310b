"""Few-shot augmentation: rare faults are transplanted onto the normal traffic of all training nodes.

From a single example an encoder learns the node of the example, not the fault. The transplanted copies vary in strength, length
and features, so that the encoder learns the fault. A template holds deviations from normal, as the references of the case
library do, so it can be moved between networks in the same way.
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
from faultprint.training.data.dataset import TrainingSet, training_node
from faultprint.training.data.lazy_array import OverlayArray
from faultprint.windows.labelling import MinuteConditions, label_minutes
from faultprint.windows.series import Series

_COPIES_PER_NODE: Final = 2
"""Number of copies of each fault on each node."""
_MINUTES_BEFORE: Final = 20
_MINUTES_AFTER: Final = 30
"""Normal minutes that must lie before and after a copy."""
_RECOVERY_MINUTES: Final = 3
"""Minutes after a copy that are labelled as recovery, because the smoothed template reaches beyond its end."""
_LENGTH_FACTORS: Final = (0.6, 1.6)
_LENGTHS: Final = (12, 90)
"""Range of the factor on the length of the template, and of the length of a copy in minutes."""


def augment(
    training_set: TrainingSet,
    labels: pl.DataFrame,
    templates: Sequence[FaultTemplate],
    rng: np.random.Generator,
    exclude: frozenset[str],
) -> TrainingSet:
    """The training set with copies of the templates on the nodes of all networks except `exclude`, as far as there is room."""
    synthesizer = FaultSynthesizer(training_set.catalogue, training_set.kinds, rng)
    nodes = []
    for node in training_set.nodes:
        if node.series.network not in exclude:
            labelled = label_minutes(labels, node.series, training_set.conditions[1:])
            chosen = [*_draw_templates(templates, rng)]
            series, conditions = _transplant(node.series, labelled, chosen, synthesizer, rng)
            node = training_node(series, conditions, training_set.kinds, training_set.window) or node
        nodes.append(node)
    return replace(training_set, nodes=tuple(nodes))


def _draw_templates(templates: Sequence[FaultTemplate], rng: np.random.Generator) -> Iterator[FaultTemplate]:
    """The templates for one node: every fault equally often, in random order."""
    by_fault: dict[str, list[FaultTemplate]] = {}
    for template in templates:
        by_fault.setdefault(template.condition, []).append(template)
    faults = sorted(by_fault)
    for _ in range(_COPIES_PER_NODE):
        for index in rng.permutation(len(faults)):
            candidates = by_fault[faults[index]]
            yield candidates[rng.integers(len(candidates))]


def _transplant(
    series: Series,
    labelled: MinuteConditions,
    templates: Sequence[FaultTemplate],
    synthesizer: FaultSynthesizer,
    rng: np.random.Generator,
) -> tuple[Series, MinuteConditions]:
    """The series with the templates in its normal minutes, and the conditions of its minutes after that."""
    code, free = labelled.code.copy(), labelled.normal & series.observed
    overlays: dict[int, Float32Array] = {}
    for template in templates:
        length = int(np.clip(len(template.level) * rng.uniform(*_LENGTH_FACTORS), *_LENGTHS))
        room = _MINUTES_BEFORE + length + _MINUTES_AFTER
        starts = np.flatnonzero(np.convolve(free, np.ones(room, np.int64))[room - 1 : len(free)] == room)
        if not len(starts):
            continue
        begin = int(rng.choice(starts))
        start, stop = begin + _MINUTES_BEFORE, begin + _MINUTES_BEFORE + length
        normal = series.slice(begin, begin + room).values
        overlays[start] = synthesizer.apply(normal, slice(_MINUTES_BEFORE, _MINUTES_BEFORE + length), template)
        code[start:stop] = labelled.conditions.index(template.condition)
        code[stop : stop + _RECOVERY_MINUTES] = labelled.conditions.index(RECOVERY)
        free[begin : stop + _RECOVERY_MINUTES] = False
    # An overlay, because the values may be in a file. Training only takes slices, which a LazyArray supports.
    values = cast("Float32Array", OverlayArray(series.values, overlays))
    return replace(series, values=values), replace(labelled, code=code)
