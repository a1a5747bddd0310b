"""A reference: the vector that stands for a condition, and where it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.condition_name import check_condition
from faultprint.errors import LibraryError

ID_DIGITS: Final = 16
MAX_DIMENSIONS: Final = 16_384
"""Longest vector: 64 kB."""
MAX_COMPONENT: Final = 1e15
"""Largest component of a vector, so that squares of distances are finite in float32."""
MAX_TEXT: Final = 10_000
"""Longest node, network, model or comment, in characters."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An enrolled condition.

    condition      its name
    vector         (D,) float32, measured from the node's baseline, so that normal lies at the origin on every node
    model          id of the model that made the vector; vectors of different models cannot be compared
    node, network  where it was enrolled
    start, end     the enrolled interval
    windows        how many windows were averaged
    created        when it was enrolled
    comment        free text
    """

    condition: str
    vector: Float32Array
    model: str
    node: str
    network: str
    start: datetime
    end: datetime
    windows: int
    created: datetime
    comment: str = ""

    @property
    def id(self) -> str:
        """The first 64 bits of a SHA-256 over all but created, windows and comment: enrolling twice makes one reference."""
        digest = hashlib.sha256()
        for part in (
            self.condition,
            self.model,
            self.node,
            self.network,
            *map(_stamp, (self.start, self.end)),
        ):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(np.ascontiguousarray(self.vector, dtype="<f4").tobytes())
        return digest.hexdigest()[:ID_DIGITS]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def check(reference: Reference) -> Reference:
    """The reference, its condition in the one spelling, if it follows the rules of a library. Raises LibraryError."""
    if (condition := check_condition(reference.condition)) != reference.condition:
        reference = replace(reference, condition=condition)
    for name in ("model", "node", "network", "comment"):
        if len(getattr(reference, name)) > MAX_TEXT:
            raise LibraryError(
                f"The {name} of {reference.condition!r} has {len(getattr(reference, name))} characters, but at most "
                f"{MAX_TEXT} are kept; shorten it."
            )
    vector = reference.vector
    if vector.ndim != 1 or vector.size == 0 or vector.dtype != np.float32:
        raise LibraryError(
            f"The vector of {reference.condition!r} is {vector.dtype} of shape {vector.shape}, but a reference needs "
            "one row of float32; enrol it again."
        )
    if vector.size > MAX_DIMENSIONS:
        raise LibraryError(
            f"The vector of {reference.condition!r} has {vector.size} numbers, but no model makes more than "
            f"{MAX_DIMENSIONS}; enrol it again."
        )
    if not np.isfinite(vector).all() or float(np.abs(vector).max()) > MAX_COMPONENT:
        raise LibraryError(
            f"The vector of {reference.condition!r} holds a number that is not finite or above "
            f"{MAX_COMPONENT:g}, so that no distance to it exists; "
            "enrol it again."
        )
    if reference.end <= reference.start:
        raise LibraryError(
            f"The interval of {reference.condition!r} ends at {reference.end.isoformat()}, which is not after its start "
            f"{reference.start.isoformat()}; mark it again."
        )
    if reference.windows < 1:
        raise LibraryError(
            f"The reference {reference.condition!r} averages {reference.windows} windows, but needs at least 1; enrol "
            "it again."
        )
    return reference
