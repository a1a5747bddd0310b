"""Text and numbers made fit for other systems: one line, printable, bounded; no NaN; times as RFC 3339."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from numbers import Real
from typing import Any, Final

from faultprint.units import EPOCH

NAME: Final = 128
"""Characters of a name, at most."""
LINE: Final = 512
"""Characters of a sentence, at most."""

_CUT: Final = "…"
_EXACT: Final = 2**53


def clean(text: str, limit: int = LINE) -> str:
    """`text` on one line of at most `limit` characters.

    Control and format characters, lone surrogates and line separators become spaces, and runs of spaces one. What is
    cut ends in an ellipsis.
    """
    # Far more is looked at than can be kept, so that text of any length costs the same.
    head = text[: 4 * limit]
    if not head.isprintable():
        head = "".join(character if character.isprintable() else " " for character in head)
    line = " ".join(head.split())
    if len(line) > limit or len(text) > 4 * limit:
        return line[: limit - 1].rstrip() + _CUT
    return line


def token(text: str, limit: int = NAME) -> str:
    """`text` as one word without white space, never empty (VES: alarmCondition should not have white space)."""
    return clean(text, limit).replace(" ", "-") or "unnamed"


def camel(text: str, limit: int = NAME) -> str:
    """`text` as CamelCase without separators (VES, best practices for eventName), never empty."""
    line = clean(text, limit)
    spaced = "".join(character if character.isalnum() else " " for character in line)
    return "".join(word[:1].upper() + word[1:] for word in spaced.split()) or "Unnamed"


def rounded(value: float) -> int | float:
    """A finite number without the digits that float32 makes up: a whole one as it is, another to seven digits."""
    return int(value) if value.is_integer() and abs(value) < _EXACT else float(f"{value:.7g}")


def finite(value: object) -> float | None:
    """The number, or None for what is none: NaN, an infinity, a null, text, a truth value."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def rfc3339(time_us: int) -> str:
    """Microseconds since the epoch as RFC 3339 in UTC, such as 2026-01-05T09:10:00Z."""
    return (EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: None and empty text are left out."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def to_json(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in ASCII: no line break within, readable by any parser. Raises ValueError for NaN."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
