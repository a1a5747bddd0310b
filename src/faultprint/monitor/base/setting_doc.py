"""What the configuration reference says of a key; stands in the annotation of a settings' field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """`meaning`: for the reference and for errors. `least`: the smallest number that may be given."""

    meaning: str
    least: float | None = None
