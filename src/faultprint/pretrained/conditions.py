"""What is known of the conditions of the starter library: `conditions.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from faultprint import pretrained


@dataclass(frozen=True, slots=True)
class ConditionText:
    """A condition for people.

    title    what it is called in sentences
    meaning  what is wrong
    checks   where to look, in order
    cure     what usually ends it
    """

    title: str
    meaning: str
    checks: tuple[str, ...]
    cure: str


@cache
def condition_texts() -> Mapping[str, ConditionText]:
    """The texts by name of condition."""
    table = tomllib.loads(pretrained.CONDITIONS.read_text(encoding="utf-8"))
    return {
        name: ConditionText(text["title"], text["meaning"], tuple(text["checks"]), text["cure"])
        for name, text in table.items()
    }


def title(condition: str) -> str:
    """What the condition is called in sentences: its own name, if the box does not know it."""
    known = condition_texts().get(condition)
    return known.title if known else condition
