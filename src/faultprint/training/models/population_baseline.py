"""The population baseline of a trained model: the mean vector of normal traffic under the population's profile.

It is the baseline of a node without history. Under the population's profile, the normal windows of one node lie close
together, but each node lies elsewhere. The mean over nodes is subtracted. Training also uses the population's profile for
some of its samples (`training.data.samplers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import PopulationBaseline
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series

MAX_NODES: Final = 20
"""Nodes that are embedded, evenly spread over all nodes."""
_DAY_MINUTES: Final = 1440
"""Minutes of each node that are embedded."""


def compute_population_baseline(
    model: Model, nodes: Sequence[tuple[Series, IntArray]], population: Profile
) -> PopulationBaseline:
    """The baseline from `nodes`: each a series, and the first minutes of its unbroken hours of normal traffic.

    All nodes have the same weight. Raises ModelError for minutes that do not fit the model.
    """
    means, short_means = [], []
    for index in np.unique(np.linspace(0, len(nodes) - 1, MAX_NODES).round().astype(np.int64)):
        series, hours = nodes[index]
        hours = hours[hours <= hours[0] + _DAY_MINUTES]
        day = series.slice(int(hours[0]), int(hours[-1]) + model.window)
        starts = (hours - hours[0])[:: model.window]
        means.append(_mean(model.embed(day, population, ends=starts + model.window - 1).vectors))
        if model.manifest.encoder == "pooled":
            ends = starts + SHORT_WINDOW_MINUTES - 1
            short_means.append(_mean(model.embed_short_windows(day, population, ends)))
    return PopulationBaseline(_mean(means), _mean(short_means) if short_means else None)


def _mean(vectors: Float32Array | Sequence[Float32Array]) -> Float32Array:
    return np.asarray(np.mean(vectors, axis=0, dtype=np.float64), np.float32)
