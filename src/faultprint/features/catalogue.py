"""The catalogue: which features describe a minute, and what each of them means.

`SIP_CATALOGUE` is ten operations × twelve statistics and twelve indicators of the whole node: 132 features, from the
tables in `operations`. Another source (performance counters, host metrics) brings a catalogue of its own as JSON.
Nothing beyond the standard library is imported; docs/reference/features.md is generated from here.
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

    `support` names the count feature that best tells how many events stand behind a value (a count's is itself; empty:
    not known). `term` is the counter of TS 32.409 or the metric of RFC 6076 that the feature corresponds to, if any.
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
            raise TableError(f"A feature cannot be named {self.name!r} beside the columns of minutes; rename it.")
        if self.kind not in KINDS:
            raise TableError(f"Feature {self.name!r} is of kind {self.kind!r}, which is none of {', '.join(KINDS)}.")


@dataclass(frozen=True)
class Catalogue:
    """An ordered set of features; the order is that of the columns of a minutes table and of a window's F axis."""

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
                    f"Catalogue {self.name!r}: {feature.name!r} is supported by {feature.support!r}, which is no count in it."
                )

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of all that values depend on: name, version, and each feature's name, unit, kind and support.

        Rewording a meaning leaves the hash, and with it every model, as it was; a change of rule needs a new version.
        """
        rows = [[feature.name, feature.unit, feature.kind, feature.support] for feature in self.features]
        canonical = json.dumps([self.name, self.version, rows], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    @cached_property
    def _indices(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The feature's place in the order. Raises TableError for a name that is not in the catalogue."""
        try:
            return self._indices[name]
        except KeyError:
            raise TableError(f"Catalogue {self.name!r} has no feature {name!r}; its features are in `names`.") from None

    def to_json(self) -> str:
        """The whole catalogue as JSON text; `from_json` reads it back equal."""
        rows = [asdict(feature) for feature in self.features]
        return json.dumps({"name": self.name, "version": self.version, "features": rows}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Catalogue:
        """The catalogue that `to_json` (or a person) wrote: name, version, features with name, unit and kind.

        Raises TableError, in one sentence, for anything else.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TableError(f"A catalogue must be JSON ({error}); see docs/reference/features.md.") from None
        return _catalogue(found)


def _catalogue(found: Any) -> Catalogue:
    if not isinstance(found, dict) or set(found) != {"name", "version", "features"}:
        raise TableError(
            "A catalogue is a JSON object of exactly name, version and features; see docs/reference/features.md."
        )
    name, version, rows = found["name"], found["version"], found["features"]
    if not isinstance(name, str) or type(version) is not int or not isinstance(rows, list):
        raise TableError("A catalogue's name is text, its version a whole number, its features a list; correct it.")
    known = {entry.name for entry in fields(Feature)}
    for row in rows:
        if not isinstance(row, dict) or not {"name", "unit", "kind"} <= set(row) <= known:
            raise TableError(
                f"Catalogue {name!r}: a feature has name, unit and kind (and may have {', '.join(sorted(known))})."
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
"""The 132 features of a node that speaks SIP."""
