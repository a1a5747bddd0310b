"""Text of unknown origin as people may see it: nothing in it moves the cursor, turns the line or is invisible."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE: Final = re.compile(f"[{_INVISIBLE}]")
"""Characters without a picture: format and bidirectional controls, zero-width ones, fillers, variation selectors, tags."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with an escape, such as \x1b or \u202e, for each character that is a control or invisible.

    `lines`: keep line breaks and tabs, in a text of several lines that Faultprint wrote itself.
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
    return "".join(_escape(ord(c)) if _hidden(c) else c for c in text)


def visible_json(text: str) -> str:
    """JSON in ASCII, as `json.dumps` writes it, without the one control character that it leaves as it is."""
    return text.replace("\x7f", "\\u007f")


def _hidden(character: str) -> bool:
    """Whether a character is a control, invisible, or unknown to Unicode; other spaces than the plain one are not."""
    printable = character.isprintable() or unicodedata.category(character) == "Zs"
    return not printable or INVISIBLE.match(character) is not None


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
