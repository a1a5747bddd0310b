"""Reads a TOML table into a dataclass. A wrong key or a wrong type is one sentence that names the key."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from faultprint.errors import UsageError
from faultprint.monitor.base.location import StateLocation, parse_location
from faultprint.monitor.base.setting_doc import SettingDoc

S = TypeVar("S")

_PLAIN: Final[Mapping[Any, tuple[type, ...]]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
    datetime: (datetime,),
}


@dataclass(frozen=True, slots=True)
class TableReader:
    """`folder`: relative paths start there. `renamed`: old key → new key, both with the names of their tables."""

    folder: Path
    renamed: Mapping[str, str]

    def read(self, cls: type[S], table: Mapping[str, Any], prefix: str = "", note: str = "") -> S:
        """An object of the dataclass `cls`.

        `prefix`: name of the table with a dot; `note`: which kind of table it is, for errors. Raises UsageError.
        """
        assert is_dataclass(cls)
        known = {entry.name: entry for entry in fields(cls)}
        hints = typing.get_type_hints(cls, include_extras=True)
        for name in table:
            if name not in known:
                raise UsageError(self._unknown(prefix + name, note, tuple(known)))
        values = {}
        for name, entry in known.items():
            kind, doc = type_of(hints[name])
            if name in table:
                value = values[name] = self._value(kind, table[name], prefix + name)
                if doc and doc.minimum is not None and not doc.minimum <= value < float("inf"):
                    raise UsageError(f"{prefix + name} is {value}, but must be {doc.minimum:g} or more; correct it.")
            elif entry.default is MISSING and entry.default_factory is MISSING:
                raise UsageError(f"the key {prefix + name!r} is missing; set it ({doc.meaning if doc else 'a table'}).")
        return cls(**values)

    def _unknown(self, key: str, note: str, names: Sequence[str]) -> str:
        if new := self.renamed.get(key):
            return f"the key {key!r} was renamed to {new!r}; use the new name."
        return f"there is no key {key!r}{note}; the keys there are {', '.join(names)}."

    def _variant(self, kinds: Sequence[Any], table: Mapping[str, Any], where: str) -> Any:
        """An object of the dataclass whose `kind` the table names."""
        by_kind = {cls.kind.value: cls for cls in kinds}
        if "kind" not in table:
            raise UsageError(f"the key '{where}.kind' is missing; set it to one of {', '.join(by_kind)}.")
        kind = table["kind"]
        if not isinstance(kind, str) or kind not in by_kind:
            raise UsageError(f"{where}.kind is {kind!r}, which is none of {', '.join(by_kind)}; correct it.")
        rest = {name: value for name, value in table.items() if name != "kind"}
        return self.read(by_kind[kind], rest, f"{where}.", f" for kind {kind!r}")

    def _value(self, kind: Any, value: Any, where: str) -> Any:
        if kind == StateLocation and isinstance(value, str) and value:
            return parse_location(value, self.folder)
        if isinstance(value, dict) and (kinds := variants(kind)):
            return self._variant(kinds, value, where)
        kind = optional(kind)
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
            return self.read(kind, value, f"{where}.")
        if origin is tuple and isinstance(value, list):
            return tuple(self._value(inner[0], item, where) for item in value)
        if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
            return {name: self._value(inner[1], item, f"{where}.{name}") for name, item in value.items()}
        if isinstance(kind, type) and issubclass(kind, Path) and isinstance(value, str) and value:
            return self.folder / value
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            if value in tuple(kind):
                return kind(value)
            raise UsageError(f"{where} is {value!r}, which is none of {', '.join(kind)}; correct it.")
        if kind in _PLAIN and type(value) in _PLAIN[kind]:
            return kind(value) if kind is float else value
        raise UsageError(f"{where} is {value!r}, but must be {name_of_type(kind)}; correct it.")


def type_of(hint: Any) -> tuple[Any, SettingDoc | None]:
    """The type of an annotation, and its documentation."""
    if typing.get_origin(hint) is Annotated:
        kind, *extras = typing.get_args(hint)
        return kind, next((extra for extra in extras if isinstance(extra, SettingDoc)), None)
    return hint, None


def variants(kind: Any) -> tuple[Any, ...]:
    """The dataclasses of a union that the key `kind` selects from; empty for any other type."""
    members = typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else ()
    return members if all(hasattr(member, "kind") for member in members) else ()


def optional(kind: Any) -> Any:
    """The type without None."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(member for member in typing.get_args(kind) if member is not type(None))
    return kind


def name_of_type(kind: Any) -> str:
    """The name of a type in the reference and in errors."""
    if kind == StateLocation:
        return "a path or a URL"
    kind = optional(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return f"a list of {name_of_type(inner[0]).removeprefix('a ')}s"
    if origin is not None:
        return "a table"
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", datetime: "a date with time"}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"{member.value}" for member in kind)
    return names.get(kind, "a path" if isinstance(kind, type) and issubclass(kind, Path) else "a table")
