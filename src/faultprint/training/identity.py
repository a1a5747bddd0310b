"""What a training is of: it goes on from a file only where this is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

import faultprint
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import STRETCH, TrainingSet
from faultprint.training.loop import TrainingPlan

FORMAT: Final = 3
_WORDS: Final[Mapping[str, str]] = {
    "format": "format",
    "version": "Faultprint version",
    "preset": "preset",
    "settings": "settings",
    "seed": "seed",
    "folds": "number of folds",
    "epochs": "number of epochs",
    "steps": "number of steps an epoch",
    "patience": "patience",
    "max_seconds": "budget of seconds",
    "data": "minutes or labels",
}
"""What must be the same, and what it is called."""
_UNSPEAKABLE: Final = ("settings", "data")
"""Values too long for a sentence."""


def identity(
    preset: str,
    seed: int,
    plan: TrainingPlan,
    data: TrainingSet,
    *,
    settings: Hyperparameters | None = None,
    folds: int | None = None,
) -> dict[str, Any]:
    """What a training is of (with `folds`: what a study is of), one value for every one of `_WORDS`, for JSON."""
    return {
        "format": FORMAT,
        "version": faultprint.__version__,
        "preset": preset,
        "settings": settings and settings.as_dict(),
        "seed": seed,
        "folds": folds,
        "epochs": plan.epochs,
        "steps": plan.steps,
        "patience": plan.patience,
        "max_seconds": plan.max_seconds,
        "data": _digest(data),
    }


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first thing that is not the same, such as "seed (1 there, 2 here)"; empty if there is none.

    Raises LookupError or TypeError for a `there` that is no identity.
    """
    for name, word in _WORDS.items():
        if there[name] != here[name]:
            return word if name in _UNSPEAKABLE else f"{word} ({there[name]} there, {here[name]} here)"
    return ""


def _digest(data: TrainingSet) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps([data.catalogue.hash, data.window, data.conditions]).encode())
    for node in data.nodes:
        one = node.series
        digest.update(json.dumps([one.node, one.network, one.first_us, one.interval_us]).encode())
        for start in range(0, len(one), STRETCH):
            digest.update(np.ascontiguousarray(one.part(start, start + STRETCH).values).data)
        for array in (one.observed, node.code, node.exposed, node.normal):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
