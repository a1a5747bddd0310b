"""From a TOML table to a dataclass: a key that no dataclass has, or a value of another type, is one sentence."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from faultprint.errors import UsageError
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.state.connect import State, parse

S = TypeVar("S")


def make(kind: type[S], found: Mapping[str, Any], where: str, folder: Path) -> S:
    """A dataclass from a TOML table; `where` is the table's name. Raises UsageError."""
    assert is_dataclass(kind)
    known = {entry.name: entry for entry in fields(kind)}
    hints = typing.get_type_hints(kind, include_extras=True)
    for name in found:
        if name not in known:
            raise UsageError(f"there is no key {where + name!r}; the keys there are {', '.join(known)}.")
    values = {}
    for name, entry in known.items():
        if name in found:
            plain, key = type_of(hints[name])
            value = values[name] = _value(plain, found[name], where + name, folder)
            if key and key.least is not None and not key.least <= value < float("inf"):
                raise UsageError(f"{where + name} is {value}, but must be {key.least:g} or more; correct it.")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            _, key = type_of(hints[name])
            raise UsageError(f"the key {where + name!r} is missing; give it ({key.meaning if key else 'a table'}).")
    return kind(**values)


def type_of(hint: Any) -> tuple[Any, SettingDoc | None]:
    """An annotation's type, and what the reference says of it."""
    if typing.get_origin(hint) is Annotated:
        plain, *more = typing.get_args(hint)
        return plain, next((one for one in more if isinstance(one, SettingDoc)), None)
    return hint, None


_PLAIN: Final[Mapping[Any, tuple[type, ...]]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
    datetime: (datetime,),
}


def _value(kind: Any, found: Any, where: str, folder: Path) -> Any:
    if kind == State and isinstance(found, str) and found:
        return parse(found, folder)
    kind = optional(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(found, dict):
        return make(kind, found, f"{where}.", folder)
    if origin is tuple and isinstance(found, list):
        return tuple(_value(inner[0], one, where, folder) for one in found)
    if origin is not None and issubclass(origin, Mapping) and isinstance(found, dict):
        return {name: _value(inner[1], one, f"{where}.{name}", folder) for name, one in found.items()}
    if isinstance(kind, type) and issubclass(kind, Path) and isinstance(found, str) and found:
        return folder / found
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if found in tuple(kind):
            return kind(found)
        raise UsageError(f"{where} is {found!r}, which is none of {', '.join(kind)}; correct it.")
    if kind in _PLAIN and type(found) in _PLAIN[kind]:
        return kind(found) if kind is float else found
    raise UsageError(f"{where} is {found!r}, but must be {word_of(kind)}; correct it.")


def optional(kind: Any) -> Any:
    """The type without the None that it may be instead."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(kind) if one is not type(None))
    return kind


def word_of(kind: Any) -> str:
    """A type as the reference calls it."""
    if kind == State:
        return "a path or a URL"
    kind = optional(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return f"a list of {word_of(inner[0]).removeprefix('a ')}s"
    if origin is not None:
        return "a table"
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", datetime: "a date with time"}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"{word.value}" for word in kind)
    return words.get(kind, "a path" if isinstance(kind, type) and issubclass(kind, Path) else "a table")
