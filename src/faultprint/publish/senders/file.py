"""Messages appended to a file of JSON lines, each on disk before its receipt is given.

A line that a crash left half-written is cut off when the file is opened again: no receipt was given for it, so it is
sent again. A line that was written, but whose receipt was lost in the crash, is known by its `event_id` and not
repeated. A file that was rotated away (moved or removed) is begun anew under its name.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.text import clean

TAIL: Final = 1_048_576
"""Bytes at the file's end that are looked through: for the last line's end, and for what was written already."""


class FileSender:
    """Appends each message's body, which must be one JSON object and a line feed; one process and thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises UsageError if that cannot be done or another process writes to it."""
        self._path = path
        self._descriptor = -1
        self._written: frozenset[str] = frozenset()
        try:
            self._open()
        except OSError as error:
            raise UsageError(f"{path} cannot be appended to ({error.strerror or error}); give another file.") from None

    def send(self, message: Message) -> Receipt:
        """Append the message's line; whatever goes wrong leaves the file as it was."""
        if not message.body.endswith(b"\n") or b"\n" in message.body[:-1]:
            return Receipt(DeliveryOutcome.REJECTED, detail="the body is not exactly one line")
        try:
            if self._moved():
                self.close()
                self._open()
            if self._written and _event_id(message.body) in self._written:
                return Receipt(DeliveryOutcome.DELIVERED, detail="was written before")
            self._append(message.body)
        except OSError as error:
            return Receipt(DeliveryOutcome.LATER, detail=clean(f"{type(error).__name__}: {error}", 200))
        return Receipt(DeliveryOutcome.DELIVERED)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        new = not self._path.exists()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tail = self._repair()
        except OSError:
            self.close()
            raise
        self._written = frozenset(_event_id(line) for line in tail.splitlines()) - {""}
        if new:
            _sync_folder(self._path.parent)

    def _repair(self) -> bytes:
        """Cut off what follows the last line feed; the whole lines of the file's end."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - TAIL)
        tail = os.pread(self._descriptor, size - start, start)
        end = tail.rfind(b"\n") + 1
        if end < len(tail):
            if not end and start:
                raise OSError(f"its last {TAIL} bytes hold no line end, so it is no file of JSON lines")
            os.ftruncate(self._descriptor, start + end)
            os.fsync(self._descriptor)
        # The first line may have begun before what was read; without its beginning it is no JSON, and is passed over.
        return tail[:end]

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            left, place = line, size
            while left:
                count = os.pwrite(self._descriptor, left, place)
                left, place = left[count:], place + count
            os.fsync(self._descriptor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                self.close()  # opened anew by the next message, and repaired
            raise

    def _moved(self) -> bool:
        if self._descriptor < 0:
            return True
        ours = os.fstat(self._descriptor)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return True
        return (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino)


def _event_id(line: bytes) -> str:
    """The record's event_id; empty where the line is none of ours."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    value = found.get("event_id") if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _sync_folder(folder: Path) -> None:
    """Make the new file's name outlive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
