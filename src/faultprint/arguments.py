"""Checks of the arguments of the public functions: each names the argument, what is wrong, and what to pass.

Every check returns the value in its proper type. It raises UsageError with one sentence for a value that cannot be used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeVar

from faultprint.errors import UsageError

Kind = TypeVar("Kind")
_SHOWN: Final = 80
MAX_WHOLE_NUMBER: Final = 1_000_000_000


def shown(value: object) -> str:
    """The value and its type in a few words, for a message."""
    text = repr(value)
    text = text if len(text) <= _SHOWN and "\n" not in text else "a value"
    return f"{text} of type {type(value).__name__}"


def path_argument(value: Any, name: str) -> Path:
    """A path of a file, from a text or a Path. A folder is refused; the file need not exist."""
    if isinstance(value, str | PathLike):
        value = fspath(value)
    if not isinstance(value, str):
        raise UsageError(f"{name} is {shown(value)}, but must be a path; pass a text or a pathlib.Path.")
    if not value or "\0" in value:
        raise UsageError(f"{name} is {value!r}, which is no path of a file; pass the path of a file.")
    if Path(value).is_dir():
        raise UsageError(f"{name} is the folder {value!r}, but must be a file; pass the path of a file.")
    return Path(value)


def list_argument(value: Any, name: str, one: tuple[type, ...] = (str,)) -> list[Any]:
    """A list. A single value of the types `one` is a list of one."""
    if isinstance(value, one):
        return [value]
    if isinstance(value, Mapping | bytes) or not hasattr(value, "__iter__"):
        raise UsageError(f"{name} is {shown(value)}, but must be a list; pass such as ['{name}'].")
    found = list(value)
    for item in found:
        if not isinstance(item, one):
            raise UsageError(f"{name} holds {shown(item)}, but must hold texts only; correct that item.")
    return found


def text_argument(value: Any, name: str) -> str:
    """A text."""
    return instance_argument(value, str, name, "a text")


def mapping_argument(value: Any, name: str) -> dict[str, str]:
    """Texts by text; {} for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} is {shown(value)}, but must be a mapping; pass a dict such as {{'10.0.0.9': 'Mw'}}.")
    for item in (part for pair in value.items() for part in pair):
        if not isinstance(item, str):
            raise UsageError(f"{name} holds {shown(item)}, but must hold texts only; correct that item.")
    return dict(value)


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """A whole number from `least` to MAX_WHOLE_NUMBER; also one of NumPy's."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise UsageError(f"{name} is {shown(value)}, but must be a whole number; pass {least} or more.")
    try:
        number = int(value.__index__())
    except TypeError:  # an array of NumPy has the method, but not the meaning
        raise UsageError(f"{name} is {shown(value)}, but must be one whole number; pass {least} or more.") from None
    if not least <= number <= MAX_WHOLE_NUMBER:
        raise UsageError(f"{name} is {number}, but must be from {least} to {MAX_WHOLE_NUMBER}; pass another number.")
    return number


def ratio_argument(value: Any, name: str) -> float:
    """A finite number of 0 or more."""
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise UsageError(f"{name} is {shown(value)}, but must be a finite number; pass 0 or more.")
    return number


def instance_argument(value: Any, kind: type[Kind], name: str, hint: str) -> Kind:
    """An object of the class `kind`; `hint` says what to pass instead."""
    if not isinstance(value, kind):
        raise UsageError(f"{name} is {shown(value)}, which cannot be used; pass {hint}.")
    return value


def moment_argument(value: Any, name: str) -> datetime:
    """A time with its zone, from a datetime or a text in ISO 8601. A time without a zone is UTC."""
    # The missing time of pandas is a datetime that differs from itself.
    if isinstance(value, datetime) and value == value:
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        raise UsageError(
            f"{name} is {shown(value)}, but must be a time; pass a datetime, or a text such as 2026-01-05T09:10."
        )
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError(
            f"{value!r} is no time in ISO 8601; write it such as 2026-01-05T09:10 or 2026-01-05T09:10+01:00."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def interval_argument(value: Any, name: str) -> tuple[datetime, datetime]:
    """Start and end, from a pair of moments in that order."""
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    if len(pair) != 2:
        raise UsageError(
            f"{name} is {shown(value)}, but must be a pair of times; pass ('2026-01-05T09:10', '2026-01-05T09:40')."
        )
    start, end = (moment_argument(moment, name) for moment in pair)
    if end <= start:
        raise UsageError(
            f"{name} ends at {end.isoformat()}, which is not after its start {start.isoformat()}; "
            "pass the start, then the end."
        )
    return start, end
