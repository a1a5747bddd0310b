"""King − man + woman: does what a fault does to one network's vector do the same to another's?

Of two networks A and B and a fault that befell both, v(fault at A) − v(normal at A) + v(normal at B) is to lie nearest to
v(fault at B) among the vectors of all that befell B, normal included. Without the arithmetic v(fault at A) itself is to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.arrays import Float32Array
from faultprint.cases.scope import EvaluationScope
from faultprint.evaluation.metrics import CLEAR
from faultprint.evaluation.truth import of_windows
from faultprint.tables import NORMAL
from faultprint.training.data.dataset import TrainingNode, TrainingSet
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.train import PRESETS, Preset
from faultprint.windows.levels import Kinds
from faultprint.windows.profile import LEAST_MINUTES, Profile, population
from faultprint_lab.baselines.systems import ModelSpace
from faultprint_lab.benchmark.competitors.encoders import Encoder, population_baseline_of
from faultprint_lab.benchmark.prepared import PreparedTrial
from faultprint_lab.benchmark.protocols.ablations import Unprofiled
from faultprint_lab.benchmark.puzzles.batchnorm_gap import NARROW
from faultprint_lab.benchmark.puzzles.variants import own_code

WINDOWS: Final = 16
"""Windows whose mean stands for a condition at a node: the posts' network makes few a second."""


@dataclass(frozen=True, slots=True)
class PopulationStart(TrainingNode):
    """A node whose own normal nobody looks at: it goes by the profile of `people`."""

    people: Profile

    def profile(self, start: int, stop: int, kinds: Kinds, least: int = LEAST_MINUTES) -> Profile:
        """Whatever the minutes."""
        return self.people


class OneProfile(PooledTask):
    """The default training on input that is normalised by one profile for all nodes, which the general eye has never seen."""

    looks_generally = False

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        people = population([node.whole for node in train.nodes], train.kinds)
        super().__init__(_strangers(train, people), _strangers(held_out, people), rng)


def _strangers(of: TrainingSet, people: Profile) -> TrainingSet:
    fields = TrainingNode.__slots__
    nodes = [PopulationStart(**{name: getattr(node, name) for name in fields}, people=people) for node in of.nodes]
    return replace(of, nodes=tuple(nodes))


@dataclass(frozen=True, slots=True)
class Seen:
    """A node: v of its marked `normal` hour (D,), and of every condition that befell it (D,)."""

    network: str
    normal: Float32Array
    befell: Mapping[str, Float32Array]


def seen(space: ModelSpace, place: EvaluationScope, known: pl.DataFrame) -> Seen:
    """From a few clear windows of each condition, evenly spread."""
    words = np.array(of_windows(known, place).select(pl.when(CLEAR).then("truth"))["truth"].to_list(), dtype=object)
    own = space.normal(place)
    befell = {}
    for word in sorted({*words.tolist()} - {None}):
        rows = np.flatnonzero(words == word)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, WINDOWS).astype(np.int64))]
        befell[str(word)] = space.embed(replace(place, last_minutes=place.last_minutes[rows]), own).mean(axis=0)
    return Seen(place.series.network, own.mean, befell)


def carried(nodes: Sequence[Seen]) -> dict[str, float | int | None]:
    """The share of faults carried between any two nodes of different networks, with the arithmetic, without it, and by chance."""
    moved, still, chance = [], [], []
    for a, b in permutations(nodes, 2):
        if a.network == b.network:
            continue
        there = list(b.befell)
        points = np.stack([b.befell[word] for word in there])
        for fault in sorted({*a.befell} & {*there} - {NORMAL}):
            v = a.befell[fault]
            moved.append(there[_nearest(v - a.normal + b.normal, points)] == fault)
            still.append(there[_nearest(v, points)] == fault)
            chance.append(1 / len(there))
    names = ("carried", "carried_unmoved", "carried_by_chance")
    shares = (float(np.mean(column)) if column else None for column in (moved, still, chance))
    return dict(zip(names, shares, strict=True)) | {"carries": len(moved)}


def _nearest(v: Float32Array, points: Float32Array) -> int:
    return int(((points - v) ** 2).sum(axis=1).argmin())


class Carrier(Encoder):
    """A trained encoder as an entrant whose vectors are added and subtracted."""

    def __init__(
        self, name: str, preset: str, presets: Mapping[str, Preset] = PRESETS, space: type[ModelSpace] = ModelSpace
    ) -> None:
        super().__init__(name, preset, presets)
        self._space = space

    def figures(self, setting: PreparedTrial) -> dict[str, Any]:
        """How often a fault is carried."""
        model = self.model(own_code(setting.school, self.preset))
        space = self._space(self.name, model, population_baseline_of(model, setting.school))
        return carried([seen(space, place, setting.known) for place in setting.places])


_OTHER: Final = {
    "posts, 64 units": replace(PRESETS["posts"], task=partial(ReferenceTask, hidden=NARROW)),
    "one profile": replace(PRESETS["default"], task=OneProfile, tunable=False),
}
CARRIERS: Final = (
    Carrier("posts", "posts"),
    Carrier("posts, 64 units", "posts, 64 units", _OTHER),
    Carrier("default", "default"),
    Carrier("no profile", "default", space=Unprofiled),
    Carrier("one profile", "one profile", _OTHER, Unprofiled),
)
