"""Text, numbers and times in a form that is safe for other systems: one printable bounded line, no NaN, RFC 3339."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Final

from faultprint.units import moment

MAX_NAME: Final = 128
"""Maximum length of a name, in characters."""
MAX_LINE: Final = 512
"""Maximum length of a sentence, in characters."""

_ELLIPSIS: Final = "…"
_MAX_EXACT: Final = 2**53
"""Up to this limit a float holds every whole number exactly."""


def clean(text: str, limit: int = MAX_LINE) -> str:
    """`text` on one line of at most `limit` characters.

    Control characters, format characters, lone surrogates and line separators become spaces; several spaces become one. A text
    that is cut ends with an ellipsis.
    """
    # Only the beginning of the text is processed, so that a text of any length costs the same.
    head = text[: 4 * limit]
    if not head.isprintable():
        head = "".join(character if character.isprintable() else " " for character in head)
    line = " ".join(head.split())
    if len(line) > limit or len(text) > 4 * limit:
        return line[: limit - 1].rstrip() + _ELLIPSIS
    return line


def token(text: str, limit: int = MAX_NAME) -> str:
    """`text` as one word without white space, never empty (VES: alarmCondition should contain no white space)."""
    return clean(text, limit).replace(" ", "-") or "unnamed"


def camel_case(text: str, limit: int = MAX_NAME) -> str:
    """`text` in CamelCase without separators, never empty (VES: best practices for eventName)."""
    line = clean(text, limit)
    spaced = "".join(character if character.isalnum() else " " for character in line)
    return "".join(word[:1].upper() + word[1:] for word in spaced.split()) or "Unnamed"


def round_float32(value: float) -> int | float:
    """A finite number with the digits that a float32 really has: a whole number unchanged, another one to seven digits."""
    return int(value) if value.is_integer() and abs(value) < _MAX_EXACT else float(f"{value:.7g}")


def finite_or_none(value: object) -> float | None:
    """The number, or None for NaN, an infinity, None, a text or a Boolean."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def rfc3339(time_us: int) -> str:
    """A time (µs, UTC) as RFC 3339, such as 2026-01-05T09:10:00Z."""
    return moment(time_us).isoformat().replace("+00:00", "Z")


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without those that are None or an empty text."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def to_json(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in ASCII without line breaks. Raises ValueError for NaN."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
