"""The systems that are compared: each turns a node's windows into distances to conditions.

All are given the same minutes, the same normal minutes of the node and the same windows, and their distances
go through the same rule (`cases.decision`), calibrated in the same way (`cases.calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faultprint.cases.enrol import Example
from faultprint.cases.ground import Ground
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.reference import Reference
from faultprint.embedding.model import SHORTEST_OF_NORMAL, Model
from faultprint.evaluate.summary import SPANS, summarise
from faultprint.training.material import Material
from faultprint.windows.levels import levels
from faultprint.windows.profile import Profile, profile


class System(Protocol):
    """Something that knows conditions."""

    @property
    def name(self) -> str: ...

    @property
    def loosest(self) -> float:
        """The largest `closer` that has a sense for its distances (`cases.calibration`)."""
        ...

    def match(self, place: Ground) -> Matches:
        """Distances of the windows that end at `place.ends`."""
        ...


class Embedding:
    """A model and its references: what the product does."""

    loosest = 1.0

    def __init__(self, name: str, model: Model, references: Sequence[Reference]) -> None:
        self.name = name
        self.model = model
        self.references = list(references)
        self._matcher = Matcher.of(references, model.dimensions)

    def match(self, place: Ground) -> Matches:
        return self._matcher.match(self.vectors(place))

    def vectors(self, place: Ground) -> NDArray[np.float32]:
        """(N, D) float32, minus the node's normal mean."""
        own = self.model.normal(place.series, place.normal)
        return self.model.embed(place.series, own.profile, ends=place.ends).vectors - own.mean


class Neighbour:
    """The nearest of one summary a fault, minus the node's normal mean, features scaled by their spread in training."""

    name = "1-nn"
    loosest = 1.0

    def __init__(
        self, material: Material, people: Profile, scale: NDArray[np.float32], taught: Sequence[Example]
    ) -> None:
        """`scale` (S,): spread of each summary feature; `taught`: the examples, one reference each."""
        self._kinds, self._people, self._window = material.kinds, people, material.window
        self._scale = np.maximum(scale, np.float32(1e-3))
        vectors = [self._vectors(Ground(one.series, one.normal, one.ends, 0)).mean(axis=0) for one in taught]
        self._matcher = Matcher(np.stack(vectors).astype(np.float32), [one.lesson.condition for one in taught])

    def match(self, place: Ground) -> Matches:
        return self._matcher.match(self._vectors(place))

    def _vectors(self, place: Ground) -> NDArray[np.float32]:
        every = levels(place.series, self._kinds, SPANS)
        normal = place.normal & place.series.observed
        own = profile(every, self._kinds, normal)
        # As in `embedding.model`, windows of the normal stretch count from half an hour of history.
        history = np.convolve(normal, np.ones(self._window, np.int64))[: len(normal)]
        usual = np.flatnonzero(normal & (history >= SHORTEST_OF_NORMAL))
        summaries = summarise(every, self._kinds, own, self._people, self._window, np.append(place.ends, usual))
        mean = summaries[len(place.ends) :].mean(axis=0)
        return np.asarray((summaries[: len(place.ends)] - mean) / self._scale, np.float32)
