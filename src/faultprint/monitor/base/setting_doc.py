"""Documentation of a configuration key, in the annotation of its dataclass field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """`meaning`: for the reference and for errors. `minimum`: the smallest number allowed."""

    meaning: str
    minimum: float | None = None
