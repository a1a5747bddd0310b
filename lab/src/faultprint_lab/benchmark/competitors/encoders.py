"""The presets as competitors: a trained encoder and references of each fault."""

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
from faultprint.cases.centering import minutes_within, node_series, run_ends
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matcher
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import Model, NodeBaseline, load_model
from faultprint.training.augment.template import FaultTemplate, extract_template
from faultprint.training.config import TrainingConfig
from faultprint.training.loop import TrainingPlan
from faultprint.training.models.population_baseline import compute_population_baseline
from faultprint.training.presets import PRESETS, Preset
from faultprint.training.train import train
from faultprint.windows.labelling import fault_names, label_minutes
from faultprint.windows.levels import FeatureKinds
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.baselines.systems import ModelSpace, NearestReference, System, VectorSpace, mean_vector, min_norm_of
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.competitor import (
    BenchmarkSplit,
    EveryTrial,
    FittedSystem,
    medoid_per_condition,
)
from faultprint_lab.benchmark.trials import BenchmarkTrial

CODE: Final = (
    "faultprint.training",
    "faultprint.embedding",
    "faultprint.windows",
    "faultprint.features",
    "faultprint.tables",
    "faultprint_lab.simulate",
)
"""The code that a trained model depends on."""


def trained_model(
    cache: Cache,
    preset: str,
    tables: Tables,
    identity: Mapping[str, Any],
    *,
    seed: int,
    seconds: float | None,
    presets: Mapping[str, Preset] = PRESETS,
    device: str = "cpu",
    templates: Sequence[FaultTemplate] = (),
) -> Model:
    """The preset, trained for `seconds` of one core (None: to the end of its plan), once for each `identity` (JSON).

    The identity names the tables and the `templates`, which are transplanted to all nodes.
    """

    def make(path: Path) -> None:
        train(
            *tables,
            path,
            TrainingConfig(preset=preset, seed=seed, max_seconds=seconds, device=device, templates=templates),
            presets=presets,
            clock=time.thread_time,
        )

    arguments = {"preset": preset, "seed": seed, "seconds": seconds, **identity}
    return load_model(cache.file("model", arguments, CODE, ".faultprint", make))


class EncoderCompetitor(EveryTrial):
    """A preset. All presets hold out the same networks, so that all set their thresholds on the same data."""

    device = "cpu"

    def __init__(self, name: str, preset: str, presets: Mapping[str, Preset] = PRESETS) -> None:
        self.name, self.preset, self._presets = name, preset, presets

    def seconds(self, data: BenchmarkSplit) -> float | None:
        """Training time in seconds of one core; None: to the end of the plan."""
        return data.seconds

    def model(self, data: BenchmarkSplit) -> Model:
        """The trained model."""
        return trained_model(
            data.cache,
            self.preset,
            data.train,
            data.identity,
            seed=data.seed,
            seconds=self.seconds(data),
            presets=self._presets,
            device=self.device,
        )

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Train the preset, and enrol the medoid example of each fault."""
        model = self.model(data)
        baseline = population_baseline_of(model, data)
        recurrent = model.manifest.encoder == "recurrent"
        space_type = CachedModelSpace if recurrent else ModelSpace
        return ReferenceMatching(space_type(self.name, model, baseline), data.examples)


class FullLengthEncoder(EncoderCompetitor):
    """A preset that trains to the end of its plan, on a GPU if there is one.

    On a CPU it takes more than an hour, so it takes part in one protocol only.
    """

    device = "auto"

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """Only unseen simulated networks."""
        if (trial.protocol, trial.data) != ("unseen", "simulated"):
            return "it trains at full length, which is done for unseen simulated networks only"
        return ""

    def seconds(self, data: BenchmarkSplit) -> float | None:
        """No limit."""
        return None


_FULL_PLAN: Final = TrainingPlan(epochs=25, steps=125, patience=25)
"""100,000 triplets, as in the 2017 baseline, in batches of 32."""
FULL_LENGTH: Final[Mapping[str, Preset]] = {
    f"{name}-100k": replace(PRESETS[name], plan=_FULL_PLAN) for name in ("reference-lstm", "reference-lstm-3d")
}


class Oracle(EncoderCompetitor):
    """A preset that is trained on the hidden faults as well: an upper bound for the encoder."""

    def model(self, data: BenchmarkSplit) -> Model:
        """Trained with all labels."""
        identity = {**data.identity, "hidden": None}
        return super().model(replace(data, train=(data.train[0], data.all_labels), identity=identity))


class Retrained(EncoderCompetitor):
    """A preset that is trained again when examples are enrolled, with the examples transplanted to every node."""

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """Only trials that enrol faults."""
        return "" if trial.hidden and trial.hidden.shots else "nothing is enrolled after the training"

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Nothing is trained before examples are enrolled."""
        return _RetrainedSystem(self, data)

    def retrained_model(self, data: BenchmarkSplit, enrolled: Sequence[Example]) -> Model:
        """The model that is trained with these examples as well."""
        names = [
            [example.series.node, example.enrolment.condition, example.enrolment.interval[0].isoformat()]
            for example in enrolled
        ]
        return trained_model(
            data.cache,
            self.preset,
            data.train,
            {**data.identity, "enrolled": names},
            seed=data.seed,
            seconds=self.seconds(data),
            templates=[template_of(example, data.model) for example in enrolled],
        )


_MAX_REFERENCES: Final = 5
"""Up to this number of examples of a fault, each is a reference; of more examples, only the medoid is."""


class _RetrainedSystem:
    retrains = True

    def __init__(self, competitor: Retrained, data: BenchmarkSplit) -> None:
        self._competitor, self._data = competitor, data

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        model = self._competitor.retrained_model(self._data, enrolled)
        space = ModelSpace(self._competitor.name, model, population_baseline_of(model, self._data))
        count = Counter(example.enrolment.condition for example in enrolled)
        many = [example for example in enrolled if count[example.enrolment.condition] > _MAX_REFERENCES]
        few = [example for example in enrolled if count[example.enrolment.condition] <= _MAX_REFERENCES]
        return ReferenceMatching(space, [*self._data.examples, *many]).with_examples(few)


def template_of(example: Example, model: Model) -> FaultTemplate:
    """The effect of the example's fault on its node."""
    inside = np.flatnonzero(minutes_within(example.series, example.enrolment.interval))
    start, stop = int(inside[0]), int(inside[-1]) + 1
    return extract_template(
        example.series,
        example.baseline_minutes,
        start,
        stop,
        example.enrolment.condition,
        FeatureKinds.from_catalogue(model.catalogue),
    )


class CachedModelSpace(ModelSpace):
    """A model space for a slow encoder whose vectors do not depend on the node's baseline: they are kept in memory."""

    def __init__(self, name: str, model: Model, population_baseline: NodeBaseline) -> None:
        super().__init__(name, model, population_baseline)
        self._vectors: dict[bytes, Float32Array] = {}

    def embed(self, scope: EvaluationScope, baseline: NodeBaseline) -> Float32Array:
        if not len(scope.last_minutes):
            return super().embed(scope, baseline)
        first = max(int(scope.last_minutes[0]) - self.model.window + 1, 0)
        values = scope.series.values[first : int(scope.last_minutes[-1]) + 1]
        key = hashlib.blake2b(np.ascontiguousarray(values).tobytes())
        key.update((scope.last_minutes - first).tobytes())
        if key.digest() not in self._vectors:
            self._vectors[key.digest()] = super().embed(scope, baseline)
        return self._vectors[key.digest()]


class ReferenceMatching:
    """References in a space: the medoid example of each fault of the training, and all examples enrolled later."""

    retrains = False

    def __init__(self, space: VectorSpace, candidates: Sequence[Example], max_ratio: float = 1.0) -> None:
        self.space, self._max_ratio = space, max_ratio
        medoids = medoid_per_condition(space, candidates)
        self._vectors = [mean_vector(space, example) for example in medoids]
        self._conditions = [example.enrolment.condition for example in medoids]

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        return NearestReference(self.space, self.matcher(enrolled), self._max_ratio)

    def matcher(self, enrolled: Sequence[Example]) -> Matcher:
        """The search through the references."""
        vectors = np.stack([*self._vectors, *(mean_vector(self.space, example) for example in enrolled)])
        conditions = [*self._conditions, *(example.enrolment.condition for example in enrolled)]
        return Matcher(vectors, conditions, min_norm_of(self.space))


def population_baseline_of(model: Model, data: BenchmarkSplit) -> NodeBaseline:
    """The population's baseline, from the manifest of the model or from normal hours of the training networks.

    A model without population statistics does not use profiles, so the profile of any node serves.
    """
    if model.manifest.population_baseline is not None:
        return model.population_baseline
    minutes, labels = data.split.train, data.split.train_labels
    names, nodes = fault_names(labels), []
    for series in node_series(minutes, model):
        normal = label_minutes(labels, series, names).normal & series.observed
        if len(hours := run_ends(normal, model.window)):
            nodes.append((series, hours + 1 - model.window))
    first, hours = nodes[0]
    profile = model.manifest.population or model.profile(first.slice(int(hours[0]), int(hours[0]) + model.window))
    baseline = compute_population_baseline(model, nodes, profile)
    return NodeBaseline(profile, baseline.mean, baseline.short_mean)
