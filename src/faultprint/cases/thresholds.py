"""The thresholds that a model brings with it, and the rule to identify by.

Training measures distances and ratios on networks that it holds out, and stores their quantiles in the model file
(`training.calibration`). A threshold that the file lacks, or holds damaged, is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faultprint.cases.decision import Rule
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher
from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model
from faultprint.errors import ModelError

MOST_NORMAL: Final = 0.9
"""Share of normal windows that must not lie nearer to a fault's reference than to normal."""


def matcher_for(model: Model, references: Sequence[Reference]) -> Matcher:
    """The search through references that this model made."""
    return Matcher.from_references(references, model.dimensions, min_norm(model))


def rule_for(model: Model, library: Library, persistence: int = 1) -> Rule:
    """The rule to identify by: the one calibrated with the library's references, else the model's own.

    The model's own rule rests on held-out networks, with the mean vectors of the training networks as references:

    max_distance_ratio  the ratio that 99 of 100 normal windows exceed; 1 (the nearest wins) if the model lacks it
    unknown_radius      further from every reference than nearly all fault windows are from their own reference, and
                        than nearly all normal windows are from normal
    """
    if (calibrated := library.rule(model.id, persistence)) is not None:
        return calibrated
    ratio = _quantile(model, "normal_ratio", 0.01)
    return Rule(
        max_distance_ratio=1.0 if ratio is None else min(1.0, ratio),
        unknown_radius=unknown_radius(model),
        persistence=persistence,
    )


def min_norm(model: Model) -> float:
    """The least length of a fault's reference; 0 if the model does not tell.

    It is twice the distance from normal that MOST_NORMAL of the normal windows keep to: a window that is nearer to
    a reference than to normal lies further from normal than half of the reference's length.
    """
    return 2 * (_quantile(model, "normal_distance", MOST_NORMAL) or 0.0)


def unknown_radius(model: Model) -> float:
    """The distance from all references beyond which a window is unknown; infinite if the model does not tell."""
    bounds = [_quantile(model, "fault_distance", 0.99), _quantile(model, "normal_distance", 0.999)]
    known = [bound for bound in bounds if bound is not None]
    return max(known) if known else float("inf")


def normal_radius(model: Model) -> float:
    """The distance from normal that 99 of 100 normal windows keep to. Raises ModelError if the model does not tell."""
    if (radius := _quantile(model, "normal_distance", 0.99)) is None:
        raise ModelError(
            "The model does not tell how far from normal its normal windows lie, so outliers cannot be found; "
            "train it again, or choose another baseline than robust."
        )
    return radius


def _quantile(model: Model, name: str, level: float) -> float | None:
    """A quantile from the model's calibration; None if the model is hand-made or damaged and has none."""
    levels, measured = model.manifest.calibration.get("levels"), model.manifest.calibration.get(name)
    if not isinstance(levels, list) or level not in levels or not isinstance(measured, dict):
        return None
    values = measured.get("quantiles")
    if not isinstance(values, list) or len(values) != len(levels):
        return None
    value = values[levels.index(level)]
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None
