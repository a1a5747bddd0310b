"""The identity of a training: its data and settings. A checkpoint or study is continued only if the identity is equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import BLOCK_MINUTES, TrainingSet
from faultprint.training.loop import TrainingPlan
from faultprint.version import __version__

FORMAT: Final = 3
_NAMES: Final[Mapping[str, str]] = {
    "format": "format",
    "version": "Faultprint version",
    "preset": "preset",
    "settings": "settings",
    "seed": "seed",
    "folds": "number of folds",
    "epochs": "number of epochs",
    "steps": "number of steps per epoch",
    "patience": "patience",
    "max_seconds": "limit of seconds",
    "data": "minutes or labels",
}
"""The keys that must be equal, and their names in messages."""
_WITHOUT_VALUES: Final = ("settings", "data")
"""Keys whose values are too long for a message."""


def identity(
    preset: str,
    seed: int,
    plan: TrainingPlan,
    data: TrainingSet,
    *,
    hyperparameters: Hyperparameters | None = None,
    folds: int | None = None,
) -> dict[str, Any]:
    """The identity of a training, or with `folds` of a tuning study, as JSON: one value for every key of `_NAMES`."""
    return {
        "format": FORMAT,
        "version": __version__,
        "preset": preset,
        "settings": hyperparameters and hyperparameters.as_dict(),
        "seed": seed,
        "folds": folds,
        "epochs": plan.epochs,
        "steps": plan.steps,
        "patience": plan.patience,
        "max_seconds": plan.max_seconds,
        "data": _digest(data),
    }


def difference(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """The first difference, such as "seed (1 in the file, 2 now)"; empty if there is none.

    Raises LookupError or TypeError if `stored` is not an identity.
    """
    for key, name in _NAMES.items():
        if stored[key] != current[key]:
            return name if key in _WITHOUT_VALUES else f"{name} ({stored[key]} in the file, {current[key]} now)"
    return ""


def _digest(data: TrainingSet) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps([data.catalogue.hash, data.window, data.conditions]).encode())
    for node in data.nodes:
        series = node.series
        digest.update(json.dumps([series.node, series.network, series.first_us, series.interval_us]).encode())
        for start in range(0, len(series), BLOCK_MINUTES):
            digest.update(np.ascontiguousarray(series.slice(start, start + BLOCK_MINUTES).values).data)
        for array in (series.observed, node.code, node.fault_minutes, node.normal):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
