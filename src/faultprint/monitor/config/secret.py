"""Secrets in files of their own, so that the configuration holds none."""

from __future__ import annotations

import math
import string
from itertools import pairwise
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError


def first_line(path: Path | None) -> str:
    """The first line of the file; empty if `path` is None. Raises UsageError."""
    if path is None:
        return ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The secret in {path} cannot be read ({error}); give a file of one line.") from None
    if not lines or not lines[0]:
        raise UsageError(f"{path} has no first line, but must hold a secret there; write it.")
    return lines[0]


TOKEN_BITS: Final = 128
"""Least strength of a token."""
NEW_TOKEN: Final = "`openssl rand -hex 32 > FILE`"
"""The command that makes a token."""
_LEAST_VARIETY: Final = 8
_ALPHABETS: Final = tuple(
    frozenset(letters)
    for letters in (
        string.digits,
        string.digits + "abcdef",
        string.digits + "ABCDEF",
        string.ascii_lowercase,
        string.ascii_uppercase,
        string.digits + string.ascii_lowercase,
        string.digits + string.ascii_uppercase,
        string.digits + string.ascii_letters,
    )
)
_LARGEST_ALPHABET: Final = 64
"""That of base64; other characters are not taken as more."""


def read_token(path: Path | None, setting: str) -> str:
    """The token in the first line of the file; empty if `path` is None. Raises UsageError for one that could be guessed."""
    token = first_line(path).strip()
    if path is None:
        return ""
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(
            f"The token in {path} ({setting}) has characters other than printable ASCII, or spaces; make another one with "
            f"{NEW_TOKEN}."
        )
    bits = token_bits(token)
    if bits < TOKEN_BITS:
        raise UsageError(
            f"The token in {path} ({setting}) can be guessed: it has about {bits} bits, but must have at least "
            f"{TOKEN_BITS}; make another one with {NEW_TOKEN}."
        )
    return token


def token_bits(token: str) -> int:
    """The strength of a random token of this length and alphabet, bits. A repeated pattern or a sequence has none."""
    variety = min(len(set(token)), len({ord(b) - ord(a) for a, b in pairwise(token)}))
    if variety < _LEAST_VARIETY:
        return 0
    sizes = (len(alphabet) for alphabet in _ALPHABETS if alphabet.issuperset(token))
    return int(len(token) * math.log2(min(sizes, default=_LARGEST_ALPHABET)))
