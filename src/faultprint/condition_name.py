"""Names of conditions: folded to one spelling (NFKC), bounded, visible, and never mistaken for a word of Faultprint.

A look-alike of a reserved word has the same skeleton: the name without case, accents, spaces and punctuation, each letter
replaced by the Latin one that it resembles (after Unicode TR39). A letter of another script that is not in the tables may
stand for any letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from faultprint.display import INVISIBLE, visible
from faultprint.errors import LibraryError
from faultprint.tables import NORMAL, RESERVED_CONDITIONS

MAX_CHARACTERS: Final = 200
_SHOWN: Final = 60
_ALIKE: Final = str.maketrans(
    {
        **dict(zip("АВЕЅІЈКМНОРСТУХԌԚԜҮ", "abesijkmhopctyxgqwy", strict=True)),  # Cyrillic capitals
        **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϺ", "abezhikmnoptyxcm", strict=True)),  # Greek capitals
        **dict(zip("авеѕіјкмнорстухԁԍԛԝһүґгпиӏ", "abesijkmhopctyxdgqwhyrrnul", strict=True)),
        **dict(zip("αβγεηικμνορτυχωϲϳϻɩ", "abyenikmvoptuxwcjmi", strict=True)),
        **dict(zip("աոսօհքցզյճԼՕՍՈ", "wnuohpgqjxlouu", strict=True)),  # Armenian
        **dict(zip("ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷΝᏢᎡᏚᎢᏙᎳᎩᏃ", "abcdeghijklmnprstvwyz", strict=True)),  # Cherokee
        **dict(zip("ɑɡıȷɪɴʀʟɢʜʏɔʊʋɯɱɲɳƞŋłøđħŧɛɾ", "agijinrlghyouvmmnnnnlodhter", strict=True)),  # Latin
    }
)
_ALIKE_LATIN: Final = str.maketrans({**dict(zip("01i|345@!", "ollleasal", strict=True)), "m": "rn", "w": "vv"})
_ANY: Final = "..?"
"""One letter in a skeleton, which may be written as two (rn for m)."""
_LATIN: Final = re.compile(r"LATIN (?:SMALL LETTER|CAPITAL LETTER|LETTER SMALL CAPITAL) ([A-Z])\b")


def check_condition(name: str) -> str:
    """The name in its one spelling, if a condition may have it. Raises LibraryError."""
    folded = unicodedata.normalize("NFKC", name[: 4 * MAX_CHARACTERS])
    if (
        not folded
        or folded != folded.strip()
        or not folded.isprintable()
        or INVISIBLE.search(folded)
        or max(len(folded), len(name)) > MAX_CHARACTERS
    ):
        raise LibraryError(
            f"'{visible(name[:_SHOWN])}' cannot name a condition: a name is 1 to {MAX_CHARACTERS} visible characters "
            "without spaces around it; choose another."
        )
    if folded in RESERVED_CONDITIONS:
        reserved = ", ".join(sorted(RESERVED_CONDITIONS))
        raise LibraryError(
            f"{folded!r} cannot name a condition, because {reserved} have a meaning of their own; choose another name."
        )
    if (folded, name) != (NORMAL, NORMAL) and (word := _resembled(folded)):
        raise LibraryError(
            f"{folded[:_SHOWN]!r} cannot name a condition, because it looks like the word {word!r}, which has a meaning of "
            "its own; choose another name."
        )
    return folded


@lru_cache(10_000)
def _resembled(name: str) -> str | None:
    """The reserved word that a name looks like, or None."""
    skeleton, unsure = _skeleton(name)
    if len(skeleton.replace(_ANY, "")) <= unsure:
        return None
    pattern = re.compile(skeleton)
    return next((word for word, plain in _SKELETONS.items() if pattern.fullmatch(plain)), None)


def _skeleton(name: str) -> tuple[str, int]:
    """The skeleton as a regular expression, and how many letters in it may stand for any."""
    parts, unsure = [], 0
    for character in unicodedata.normalize("NFKD", name.translate(_ALIKE)).casefold().translate(_ALIKE):
        if character.isascii():
            character = character.translate(_ALIKE_LATIN)
            parts.append(character if character.isalnum() else "")
        elif unicodedata.category(character)[0] in "LN":
            if found := _LATIN.match(unicodedata.name(character, "")):
                parts.append(found[1].lower().translate(_ALIKE_LATIN))
            else:
                parts.append(_ANY)
                unsure += 1
    return "".join(parts), unsure


_SKELETONS: Final = {word: _skeleton(word)[0] for word in sorted({NORMAL, *RESERVED_CONDITIONS})}
