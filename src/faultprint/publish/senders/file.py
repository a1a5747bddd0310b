"""A sender that appends messages to a file of JSON lines. Each line is on disk before its receipt is returned.

A crash can leave an incomplete line. It is removed when the file is opened again, and the message is sent again because it has no
receipt. If a line was complete but its receipt was lost in the crash, its `event_id` shows that, and it is not written twice. After
log rotation (the file was moved or removed) a new file is created.
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

TAIL_BYTES: Final = 1_048_576
"""Size of the end of the file that is searched for the last line feed and for lines that exist already."""
_RECORD: Final = b'{"event_id":'
"""The beginning of every record (`publish.record`)."""


class FileSender:
    """Appends the body of each message, which must be one JSON object and a line feed. One process and one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises UsageError if that fails or if another process writes to the file."""
        self._path = path
        self._descriptor = -1
        self._written: frozenset[str] = frozenset()
        try:
            self._open()
        except OSError as error:
            raise UsageError(f"{path} cannot be appended to ({error.strerror or error}); give another file.") from None

    def send(self, message: Message) -> Receipt:
        """Append the line of the message. After an error the file is unchanged."""
        if not message.body.endswith(b"\n") or b"\n" in message.body[:-1]:
            return Receipt(DeliveryOutcome.REJECTED, detail="the body is not exactly one line")
        try:
            if self._was_rotated():
                self.close()
                self._open()
            if self._written and _event_id(message.body) in self._written:
                return Receipt(DeliveryOutcome.DELIVERED, detail="already written")
            self._append(message.body)
        except OSError as error:
            return Receipt(DeliveryOutcome.RETRY, detail=clean(f"{type(error).__name__}: {error}", 200))
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
        """Remove what follows the last line feed. Returns the complete lines at the end of the file."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - TAIL_BYTES)
        tail = os.pread(self._descriptor, size - start, start)
        end = tail.rfind(b"\n") + 1
        if end < len(tail):
            if (not end and start) or not _begins_record(tail[end:]):
                raise OSError("its last line is not complete, and is no record of Faultprint")
            os.ftruncate(self._descriptor, start + end)
            os.fsync(self._descriptor)
        # The first line can lack its beginning. It is then not JSON and is ignored.
        return tail[:end]

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            rest, offset = line, size
            while rest:
                count = os.pwrite(self._descriptor, rest, offset)
                rest, offset = rest[count:], offset + count
            os.fsync(self._descriptor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                self.close()  # the next message opens and repairs the file
            raise

    def _was_rotated(self) -> bool:
        if self._descriptor < 0:
            return True
        opened = os.fstat(self._descriptor)
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return True
        return (opened.st_dev, opened.st_ino) != (current.st_dev, current.st_ino)


def _begins_record(tail: bytes) -> bool:
    """Whether the bytes after the last line feed are the beginning of one of our records, which a crash cut off."""
    return tail.startswith(_RECORD) or _RECORD.startswith(tail)


def _event_id(line: bytes) -> str:
    """The event_id of a record; empty if the line is not one of our records."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    value = document.get("event_id") if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def _sync_folder(folder: Path) -> None:
    """Make sure that the name of a new file survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
