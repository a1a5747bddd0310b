"""The order of an alarm's attributes: times in µs, severities and states by rank."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from faultprint.errors import UsageError
from faultprint.publish.text import MAX_NAME, clean
from faultprint.units import microseconds

Value = str | int
"""A text, or the number that stands for it."""

TIMES: Final = ("alarmRaisedTime", "alarmChangedTime", "alarmClearedTime")
_SEVERITIES: Final = ("cleared", "indeterminate", "warning", "minor", "major", "critical")
_STATES: Final = ("raised", "updated", "cleared")
RANKS: Final[Mapping[str, Mapping[str, int]]] = {
    "perceivedSeverity": {name: rank for rank, name in enumerate(_SEVERITIES)},
    "state": {name: rank for rank, name in enumerate(_STATES)},
}
"""Attribute → its values → rank. A greater severity is worse (ITU-T X.733)."""


def comparable(name: str, value: object) -> Value | None:
    """The value of an alarm's attribute in the form that filters and orders compare; None if the alarm lacks it."""
    if not isinstance(value, str):
        return None
    if name in TIMES:
        return time_value(value)
    return RANKS[name].get(value) if name in RANKS else value


def time_value(text: str) -> int:
    """A time of RFC 3339, or a date (its start, UTC), in µs since 1970. Raises UsageError."""
    try:
        # A plus that was not encoded arrives as a space.
        time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{clean(text, MAX_NAME)!r} is not a time; write it like 2026-01-05T09:10:00Z or 2026-01-05."
        ) from None
