"""The presets as contenders: a trained encoder, and a reference of each fault."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.cases.centering import minutes_within, node_series
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matcher
from faultprint.cases.scope import EvaluationScope, ends_of
from faultprint.embedding.model import Model, NodeBaseline, load_model
from faultprint.embedding.population_baseline import population_baseline
from faultprint.training.augment.template import FaultTemplate, extract_template
from faultprint.training.loop import TrainingPlan
from faultprint.training.train import PRESETS, Preset, train
from faultprint.windows.labelling import faults, minute_conditions
from faultprint.windows.levels import Kinds
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.baselines.systems import ModelSpace, Nearest, Space, System, centre, least_of
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem, typical
from faultprint_lab.benchmark.trials import BenchmarkTrial

CODE: Final = (
    "faultprint.training",
    "faultprint.embedding",
    "faultprint.windows",
    "faultprint.features",
    "faultprint.tables",
    "faultprint_lab.simulate",
)
"""The source that a trained model depends on."""


def trained(
    cache: Cache,
    preset: str,
    tables: Tables,
    identity: Mapping[str, Any],
    *,
    seed: int,
    seconds: float | None,
    presets: Mapping[str, Preset] = PRESETS,
    device: str = "cpu",
    tales: Sequence[FaultTemplate] = (),
) -> Model:
    """The preset, trained for so many seconds of a core (None: as long as its plan says); once for every `identity` (JSON) of
    the tables and of the `tales`."""

    def make(path: Path) -> None:
        train(
            *tables,
            path,
            preset=preset,
            seed=seed,
            max_seconds=seconds,
            presets=presets,
            device=device,
            templates=tales,
            clock=time.thread_time,
        )

    arguments = {"preset": preset, "seed": seed, "seconds": seconds, **identity}
    return load_model(cache.file("model", arguments, CODE, ".faultprint", make))


class Encoder(EveryTrial):
    """A preset. The networks held out are the same for all, so that all set their thresholds on the same."""

    device = "cpu"

    def __init__(self, name: str, preset: str, presets: Mapping[str, Preset] = PRESETS) -> None:
        self.name, self.preset, self._presets = name, preset, presets

    def seconds(self, school: BenchmarkSplit) -> float | None:
        """How long it may train, in seconds of a core; None: as long as its plan says."""
        return school.seconds

    def model(self, school: BenchmarkSplit) -> Model:
        """The trained model."""
        return trained(
            school.cache,
            self.preset,
            school.learn,
            school.identity,
            seed=school.seed,
            seconds=self.seconds(school),
            presets=self._presets,
            device=self.device,
        )

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        model = self.model(school)
        stranger = population_baseline_of(model, school)
        space = ModelSpace(self.name, model, stranger)
        if model.manifest.encoder == "recurrent":
            space = SlowSpace(self.name, model, stranger)
        return ReferenceMatching(space, school.known)


class AtLength(Encoder):
    """A preset that trains for as long as its plan says, on a GPU where there is one; it would take an hour elsewhere, so it
    takes part in one protocol only."""

    device = "auto"

    def refuses(self, trial: BenchmarkTrial) -> str:
        if (trial.protocol, trial.data) != ("unseen", "simulated"):
            return "it trains at full length, and that for networks never seen only"
        return ""

    def seconds(self, school: BenchmarkSplit) -> float | None:
        return None


_LENGTH: Final = TrainingPlan(epochs=25, steps=125, patience=25)
"""100,000 triplets, as many as the posts drew, in batches of 32."""
AT_LENGTH: Final[Mapping[str, Preset]] = {
    f"{name}-100k": replace(PRESETS[name], plan=_LENGTH) for name in ("posts", "posts-3d")
}


class Oracle(Encoder):
    """A preset that trains on the hidden faults, too, and is taught them as all others are: no contestant, but what an encoder
    could come to."""

    def model(self, school: BenchmarkSplit) -> Model:
        knowing = replace(school, learn=(school.learn[0], school.told), identity={**school.identity, "hidden": None})
        return super().model(knowing)


class Retrained(Encoder):
    """A preset that is trained anew whenever it is taught, with what it is taught told again on every node."""

    def refuses(self, trial: BenchmarkTrial) -> str:
        return "" if trial.hidden and trial.hidden.shots else "nothing is taught after the training"

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        return _Relearning(self, school)

    def anew(self, school: BenchmarkSplit, given: Sequence[Example]) -> Model:
        """The model that has learnt these examples, too."""
        which = [[one.series.node, one.enrolment.condition, one.enrolment.interval[0].isoformat()] for one in given]
        return trained(
            school.cache,
            self.preset,
            school.learn,
            {**school.identity, "given": which},
            seed=school.seed,
            seconds=self.seconds(school),
            tales=[template_of(one, school.model) for one in given],
        )


_FEW: Final = 5
"""Examples of a fault up to which each of them is a reference; of more the most typical is, as of the lessons' faults."""


class _Relearning:
    pooled = True

    def __init__(self, contender: Retrained, school: BenchmarkSplit) -> None:
        self._contender, self._school = contender, school

    def system(self, given: Sequence[Example]) -> System:
        model = self._contender.anew(self._school, given)
        space = ModelSpace(self._contender.name, model, population_baseline_of(model, self._school))
        times = Counter(one.enrolment.condition for one in given)
        many = [one for one in given if times[one.enrolment.condition] > _FEW]
        few = [one for one in given if times[one.enrolment.condition] <= _FEW]
        return ReferenceMatching(space, [*self._school.known, *many]).system(few)


def template_of(example: Example, model: Model) -> FaultTemplate:
    """What the example's stretch did to its node."""
    inside = np.flatnonzero(minutes_within(example.series, example.enrolment.interval))
    start, stop = int(inside[0]), int(inside[-1]) + 1
    return extract_template(
        example.series, example.baseline_minutes, start, stop, example.enrolment.condition, Kinds.of(model.catalogue)
    )


class SlowSpace(ModelSpace):
    """Vectors of an encoder that makes few a second, remembered: they do not depend on what is normal for the node."""

    def __init__(self, name: str, model: Model, stranger: NodeBaseline) -> None:
        super().__init__(name, model, stranger)
        self._made: dict[bytes, Float32Array] = {}

    def embed(self, place: EvaluationScope, own: NodeBaseline) -> Float32Array:
        if not len(place.last_minutes):
            return super().embed(place, own)
        first = max(int(place.last_minutes[0]) - self.model.window + 1, 0)
        values = place.series.values[first : int(place.last_minutes[-1]) + 1]
        key = hashlib.blake2b(np.ascontiguousarray(values).tobytes())
        key.update((place.last_minutes - first).tobytes())
        if key.digest() not in self._made:
            self._made[key.digest()] = super().embed(place, own)
        return self._made[key.digest()]


class ReferenceMatching:
    """Knows the lessons' faults by the most typical example of each, and those given by all examples of them."""

    pooled = False

    def __init__(self, space: Space, known: Sequence[Example], loosest: float = 1.0) -> None:
        self.space, self._loosest = space, loosest
        chosen = typical(space, known)
        self._vectors = [centre(space, one) for one in chosen]
        self._words = [one.enrolment.condition for one in chosen]

    def system(self, given: Sequence[Example]) -> System:
        return Nearest(self.space, self.matcher(given), self._loosest)

    def matcher(self, given: Sequence[Example]) -> Matcher:
        """The search through the references."""
        vectors = np.stack([*self._vectors, *(centre(self.space, one) for one in given)])
        words = [*self._words, *(one.enrolment.condition for one in given)]
        return Matcher(vectors, words, least_of(self.space))


def population_baseline_of(model: Model, school: BenchmarkSplit) -> NodeBaseline:
    """What is normal for nobody in particular. An encoder without a population does not look at profiles: any node's will do."""
    if model.manifest.population_baseline is not None:
        return model.population_baseline
    minutes, labels = school.lessons.taught, school.lessons.taught_labels
    names, nodes = faults(labels), []
    for series in node_series(minutes, model):
        quiet = minute_conditions(labels, series, names).normal & series.observed
        if len(hours := ends_of(quiet, model.window)):
            nodes.append((series, hours + 1 - model.window))
    first, hours = nodes[0]
    own = model.manifest.population or model.profile(first.part(int(hours[0]), int(hours[0]) + model.window))
    met = population_baseline(model, nodes, own)
    return NodeBaseline(own, met.mean, met.short_mean)
