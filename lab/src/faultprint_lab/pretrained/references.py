"""The references of the starter library: a few examples of each fault that stand for all examples of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from faultprint.arrays import Float64Array
from faultprint.cases.enrol import enrol_examples, examples
from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model
from faultprint_lab.baselines.recorded import Tables


def starter_references(tables: Tables, model: Model, most: int, origin: str, created: datetime) -> list[Reference]:
    """At most `most` references of each fault of labelled minutes. The comment of each begins with its `origin`."""
    candidates = enrol_examples(examples(*tables, model), model, created=created)
    by_condition: dict[str, list[Reference]] = {}
    for reference in candidates:
        by_condition.setdefault(reference.condition, []).append(reference)
    chosen = []
    for _, group in sorted(by_condition.items()):
        vectors = np.stack([reference.vector for reference in group]).astype(np.float64)
        chosen += [group[index] for index in representative_indices(vectors, most)]
    return [replace(reference, comment=_comment(origin, reference)) for reference in chosen]


def representative_indices(vectors: Float64Array, most: int) -> list[int]:
    """At most `most` rows of `vectors` (N, D) that stand for all: each brings the others nearest to a chosen one.

    Greedy k-medoids. The first is the medoid.
    """
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    nearest = np.full(len(vectors), np.inf)
    chosen: list[int] = []
    for _ in range(min(most, len(vectors))):
        cost = np.minimum(distance, nearest[None] if chosen else np.inf).sum(axis=1)
        cost[chosen] = np.inf
        chosen.append(int(np.argmin(cost)))
        nearest = np.minimum(nearest, distance[chosen[-1]])
    return chosen


def _comment(origin: str, reference: Reference) -> str:
    parts: Sequence[str] = (f"{origin}, network {reference.network}", reference.comment)
    return ", ".join(part for part in parts if part)
