"""What is normal for nobody in particular, by which a node is judged of which nothing is known.

Under the population's profile windows of normal traffic lie together, node by node somewhere else; their mean is what can be
taken away. Training meets nodes in this way, too (`training.samplers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES, embed_short_windows
from faultprint.errors import ModelError
from faultprint.windows.profile import Profile, finite
from faultprint.windows.series import Series

if TYPE_CHECKING:
    from faultprint.embedding.model import Model


NODES: Final = 20
"""Nodes that are asked, evenly spread over those there are."""
_DAY: Final = 1440
"""Minutes of each that are looked at."""


@dataclass(frozen=True, slots=True)
class PopulationBaseline:
    """The mean vector (D,) of nodes' normal windows under the population's profile, and that of a few normal minutes by
    themselves (`embedding.recent`), None where these cannot be judged."""

    mean: Float32Array
    short_mean: Float32Array | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back equal."""
        return {"mean": _plain(self.mean), "recent": None if self.short_mean is None else _plain(self.short_mean)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any], dimensions: int) -> Self:
        """Raises ModelError unless `found` is what `as_dict` gives for so many dimensions."""
        if set(found) != {"mean", "recent"}:
            raise ModelError("A stranger's normal has mean, recent and nothing else; train the model anew.")
        mean, few = finite("A stranger's mean", found["mean"], dimensions), found["recent"]
        return cls(mean, None if few is None else finite("A stranger's recent mean", few, dimensions))


def population_baseline(model: Model, nodes: Sequence[tuple[Series, IntArray]], own: Profile) -> PopulationBaseline:
    """From nodes' series and the first minutes of unbroken hours of normal traffic in each, all under the profile `own`.

    Nodes weigh alike. Raises ModelError for other minutes than the model's.
    """
    means, recents = [], []
    for index in np.unique(np.linspace(0, len(nodes) - 1, NODES).round().astype(np.int64)):
        series, hours = nodes[index]
        hours = hours[hours <= hours[0] + _DAY]
        part, first = series.part(int(hours[0]), int(hours[-1]) + model.window), (hours - hours[0])[:: model.window]
        means.append(_mean(model.embed(part, own, ends=first + model.window - 1).vectors))
        if model.manifest.encoder == "pooled":
            recents.append(_mean(embed_short_windows(model, part, own, first + SHORT_WINDOW_MINUTES - 1)))
    return PopulationBaseline(_mean(means), _mean(recents) if recents else None)


def _mean(vectors: Float32Array | Sequence[Float32Array]) -> Float32Array:
    return np.asarray(np.mean(vectors, axis=0, dtype=np.float64), np.float32)


def _plain(vector: Float32Array) -> list[float]:
    return [float(number) for number in vector]
