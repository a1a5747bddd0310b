"""Secrets in files of their own, so that the configuration holds none."""

from __future__ import annotations

from pathlib import Path

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
