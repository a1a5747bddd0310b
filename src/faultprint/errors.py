"""Every error that Faultprint raises on purpose.

    FaultprintError
    ├── CaptureError      a file that is not a capture, or is truncated
    ├── TableError        a table with other columns, types or values than its schema
    ├── LabelError        labels that overlap, end before they start, or name an unknown node
    ├── ModelError        a model that cannot be read, or does not fit the minutes
    ├── LibraryError      a case library that cannot be read, or does not fit the model
    ├── StateError        a monitor's state that cannot be read or written now
    ├── ThreadError       a thread of the monitor that has ended
    └── UsageError        an argument that cannot be used
        └── DivergedError a training whose numbers grew without bound

A message is one sentence: which value broke which rule, and what to do next. The command line prints it and exits with
status 2. Any other exception is a bug in Faultprint.
"""

from __future__ import annotations


class FaultprintError(Exception):
    """The base class. Catch it for all errors that the user can correct."""


class CaptureError(FaultprintError):
    """A capture file that cannot be read."""


class TableError(FaultprintError):
    """A table that breaks its schema in `faultprint.tables`."""


class LabelError(FaultprintError):
    """Labels that contradict themselves or the minutes."""


class ModelError(FaultprintError):
    """A model that cannot be read, or was made for other minutes."""


class LibraryError(FaultprintError):
    """A case library that cannot be read, or was made for another model."""


class StateError(FaultprintError):
    """A monitor's state that cannot be read or written now: disk full, locked, server unreachable. A retry may succeed.

    The transaction that raises it has changed nothing, except where the commit itself fails: then the result is unknown.
    """


class ThreadError(FaultprintError):
    """A thread of the monitor that has ended, although the monitor goes on."""


class UsageError(FaultprintError):
    """An argument that cannot be used."""


class DivergedError(UsageError):
    """A training whose numbers grew without bound. Its settings cannot be used."""
