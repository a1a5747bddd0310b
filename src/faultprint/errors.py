"""Every error that Faultprint raises on purpose.

    FaultprintError
    ├── CaptureError      a file that is no capture, or ends where it must not
    ├── TableError        a table with other columns, types or values than its schema
    ├── LabelError        labels that overlap, end before they start, or name nothing known
    ├── ModelError        an artefact that cannot be read, or does not fit the minutes
    ├── LibraryError      a case library that cannot be read, or does not fit the model
    ├── StateError        a monitor's state that cannot be read or written just now
    └── UsageError        an argument that cannot be used
        └── DivergedError a training whose numbers grew without bound

A message is one sentence that says which value broke which rule, and what to do next. The command line prints it
and exits with 2; anything else that escapes is a defect of ours.
"""

from __future__ import annotations


class FaultprintError(Exception):
    """The root; catch it to catch all that the user can mend."""


class CaptureError(FaultprintError):
    """A capture file that cannot be read as one."""


class TableError(FaultprintError):
    """A table that does not keep to its schema in `faultprint.tables`."""


class LabelError(FaultprintError):
    """Labels that contradict themselves or the minutes that they describe."""


class ModelError(FaultprintError):
    """An artefact that cannot be read, or that was made for other minutes."""


class LibraryError(FaultprintError):
    """A case library that cannot be read, or that was made for another model."""


class StateError(FaultprintError):
    """A monitor's state that cannot be read or written just now: disk full, locked, server gone. It may be tried again.

    A transaction in which this is raised has come to nothing; but where its commit raises it, nobody knows.
    """


class UsageError(FaultprintError):
    """An argument that cannot be used."""


class DivergedError(UsageError):
    """A training whose numbers grew without bound: its settings cannot be used."""
