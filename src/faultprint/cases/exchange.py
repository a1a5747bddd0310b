"""References as JSON lines, one line for each, to copy cases from one library to another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from faultprint.cases.library import MAX_REFERENCES, Library
from faultprint.cases.reference import Reference, check
from faultprint.errors import LibraryError
from faultprint.files import replacing

FORMAT: Final = "faultprint.reference/1"
_TEXTS: Final = ("condition", "model", "node", "network", "comment")
_MOMENTS: Final = ("start", "end", "created")
_MAX_LINE: Final = 1_000_000
_MAX_FLOAT32: Final = float(np.finfo(np.float32).max)


def export(references: Iterable[Reference], path: Path) -> int:
    """Write references to `path`, all or none, and return their number. Vectors are read back bit for bit."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for reference in references:
            file.write(encode(reference) + "\n")
            count += 1
    return count


def import_into(library: Library, path: Path, *, model: str | None = None) -> list[str]:
    """Add the references in `path` to the library, all or none, and return the ids that are new.

    `model`: the id of the model that must have made them. Raises LibraryError with the line.
    """
    return library.add(read_references(path, model=model))


def read_references(path: Path, *, model: str | None = None) -> list[Reference]:
    """The references in `path`; those of one model have vectors of one dimension.

    `model`: the id of the model that must have made them. Raises LibraryError with the line.
    """
    references: list[Reference] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), ""), start=1):
                if len(references) >= MAX_REFERENCES:
                    raise LibraryError(f"{path} holds more than {MAX_REFERENCES} references; import fewer at a time.")
                if line.strip():
                    references.append(decode(line, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise LibraryError(
            f"{path} cannot be read as JSON lines ({error}); give a file that `cases export` wrote."
        ) from error
    dimensions: dict[str, int] = {}
    for reference in references:
        if reference.vector.size != (wanted := dimensions.setdefault(reference.model, reference.vector.size)):
            raise LibraryError(
                f"{path}: the reference {reference.condition!r} has {reference.vector.size} dimensions, but others of its "
                f"model {reference.model} have {wanted}; export the references again."
            )
        if model is not None and reference.model != model:
            raise LibraryError(
                f"{path}: the reference {reference.condition!r} belongs to the model {reference.model}, but {model} is "
                "in use; vectors of different models cannot be compared: enrol the case again with this model."
            )
    return references


def encode(reference: Reference) -> str:
    """The reference as one line of JSON."""
    fields: dict[str, Any] = {"format": FORMAT, "id": reference.id}
    fields |= {name: getattr(reference, name) for name in _TEXTS}
    fields |= {name: getattr(reference, name).astimezone(UTC).isoformat() for name in _MOMENTS}
    # A double holds a float32 exactly, and json writes the shortest decimal that reads back as the same double.
    fields |= {"windows": reference.windows, "vector": [float(value) for value in reference.vector]}
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def decode(line: str, source: str) -> Reference:
    """The reference in one line of JSON. Raises LibraryError, which names `source`."""
    try:
        fields = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LibraryError(f"{source} is not JSON ({error}); give a file that `cases export` wrote.") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise LibraryError(
            f"{source} is not a reference in the format {FORMAT!r}; give a file that `cases export` wrote."
        )
    try:
        texts = {name: _text(fields, name) for name in _TEXTS}
        start, end, created = (_moment(fields, name) for name in _MOMENTS)
        reference = Reference(
            vector=_vector(fields), start=start, end=end, created=created, windows=_whole(fields), **texts
        )
        checked = check(reference)
    except LibraryError as error:
        raise LibraryError(f"{source}: {error}") from error
    if fields.get("id") != reference.id:
        raise LibraryError(
            f"{source}: the id {str(fields.get('id'))[:40]!r} does not match the contents, which make "
            f"{reference.id!r}; export the reference again."
        )
    return checked


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or any(
        0xD800 <= ord(character) <= 0xDFFF or character == "\0" for character in value
    ):
        raise LibraryError(f"{name!r} must be text, but is {str(value)[:40]!r}; export the reference again.")
    return value


def _moment(fields: dict[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(fields[name])
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LibraryError(
            f"{name!r} must be an ISO 8601 time with its zone, but is {str(fields.get(name))[:40]!r}; export the "
            "reference again."
        ) from error


def _whole(fields: dict[str, Any]) -> int:
    value = fields.get("windows")
    if type(value) is not int or not 1 <= value < 2**63:
        raise LibraryError(
            f"'windows' must be a whole number above 0, but is {str(value)[:40]!r}; export the reference again."
        )
    return value


def _vector(fields: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    values = fields.get("vector")
    numbers = values if isinstance(values, list) else []
    good = [type(value) in (int, float) and abs(value) <= _MAX_FLOAT32 for value in numbers]  # false for NaN, too
    if not numbers or not all(good):
        raise LibraryError(
            "'vector' must be a list of finite numbers that float32 can hold; export the reference again."
        )
    return np.array(numbers, dtype=np.float32)
