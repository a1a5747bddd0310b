"""The catalogue: the features of a minute and their meanings.

`SIP_CATALOGUE` has 10 operations × 12 statistics and 12 indicators of the whole node: 132 features, from the tables in
`operations`. Another source (performance counters, host metrics) has its own catalogue as JSON. This module imports
nothing beyond the standard library. docs/reference/features.md is generated from here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Final

from faultprint.errors import TableError
from faultprint.features.operations import INDICATORS, KINDS, OPERATIONS, STATISTICS, FeatureKind
from faultprint.tables import MINUTES

__all__ = ["SIP_CATALOGUE", "Catalogue", "Feature", "FeatureKind"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One float32 column of a minutes table.

    name      the column's name
    unit      "s", "byte", … or empty
    kind      "count", "ratio", "seconds" or "gauge"
    support   name of the count feature with the events behind a value (of a count: itself; empty: unknown)
    term      the same counter of TS 32.409 or metric of RFC 6076, if any
    meaning   what it measures
    """

    name: str
    unit: str
    kind: FeatureKind
    support: str = ""
    term: str = ""
    meaning: str = ""

    def __post_init__(self) -> None:
        for entry in fields(self):
            if not isinstance(value := getattr(self, entry.name), str):
                raise TableError(f"A feature's {entry.name} must be text, not {value!r}; correct the catalogue.")
        if not self.name or self.name in MINUTES.names:
            raise TableError(
                f"A feature cannot be named {self.name!r}, which is empty or a column of every minutes table; rename it."
            )
        if self.kind not in KINDS:
            raise TableError(
                f"Feature {self.name!r} is of kind {self.kind!r}, which is none of {', '.join(KINDS)}; correct it."
            )


@dataclass(frozen=True)
class Catalogue:
    """An ordered set of features. Columns of a minutes table and the F axis of a window have this order."""

    name: str
    version: int
    features: tuple[Feature, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name or not self.features:
            raise TableError(f"Catalogue {self.name!r} needs a name and at least one feature; complete it.")
        for name, times in Counter(self.names).items():
            if times > 1:
                raise TableError(f"Catalogue {self.name!r} has {times} features named {name!r}; rename them.")
        counts = {feature.name for feature in self.features if feature.kind == "count"}
        for feature in self.features:
            if feature.support and feature.support not in counts:
                raise TableError(
                    f"Catalogue {self.name!r}: {feature.name!r} has the support {feature.support!r}, "
                    "which is not a count feature in it; correct it."
                )

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex over name, version, and each feature's name, unit, kind and support.

        A new wording of a meaning changes neither the hash nor any model. A new rule for a value needs a new version.
        """
        rows = [[feature.name, feature.unit, feature.kind, feature.support] for feature in self.features]
        canonical = json.dumps([self.name, self.version, rows], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    @cached_property
    def _indices(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The feature's position in the order. Raises TableError for a name that is not in the catalogue."""
        try:
            return self._indices[name]
        except KeyError:
            raise TableError(f"Catalogue {self.name!r} has no feature {name!r}; use one of its `names`.") from None

    def to_json(self) -> str:
        """The whole catalogue as JSON text; `from_json` reads it back equal."""
        rows = [asdict(feature) for feature in self.features]
        return json.dumps({"name": self.name, "version": self.version, "features": rows}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Catalogue:
        """The catalogue in JSON text: name, version, and features with at least name, unit and kind.

        Raises TableError for any other content.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TableError(f"A catalogue must be JSON ({error}); see docs/reference/features.md.") from None
        return _parse(document)


def _parse(document: Any) -> Catalogue:
    if not isinstance(document, dict) or set(document) != {"name", "version", "features"}:
        raise TableError(
            "A catalogue must be a JSON object of exactly name, version and features; see docs/reference/features.md."
        )
    name, version, rows = document["name"], document["version"], document["features"]
    if not isinstance(name, str) or type(version) is not int or not isinstance(rows, list):
        raise TableError(
            "A catalogue's name must be text, its version a whole number, its features a list; correct it."
        )
    known = {entry.name for entry in fields(Feature)}
    for row in rows:
        if not isinstance(row, dict) or not {"name", "unit", "kind"} <= set(row) <= known:
            raise TableError(
                f"Catalogue {name!r}: a feature has name, unit and kind (and may have {', '.join(sorted(known))}); correct it."
            )
    return Catalogue(name, version, tuple(Feature(**row) for row in rows))


def _features() -> Iterable[Feature]:
    for operation in OPERATIONS:
        for statistic in STATISTICS:
            yield Feature(
                f"{operation.key}.{statistic.key}",
                statistic.unit,
                statistic.kind,
                f"{operation.key}.attempts",
                operation.terms.get(statistic.key, ""),
                f"{operation.meaning}: {statistic.meaning}",
            )
    for indicator in INDICATORS:
        yield Feature(
            indicator.key,
            indicator.unit,
            indicator.kind,
            indicator.support,
            indicator.term,
            indicator.meaning,
        )


SIP_CATALOGUE: Final = Catalogue("sip", 1, tuple(_features()))
"""The 132 features of a SIP node."""
