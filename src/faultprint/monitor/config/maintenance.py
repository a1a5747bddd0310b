"""Maintenance windows: intervals in which faults of a node are expected and raise no incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated

from faultprint.errors import UsageError
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.units import microseconds


@dataclass(frozen=True, slots=True)
class Maintenance:
    """[[maintenance]]: a maintenance window. Times without a time zone are UTC."""

    start: Annotated[datetime, SettingDoc("start, such as 2026-01-05T01:00:00Z")]
    end: Annotated[datetime, SettingDoc("end (exclusive)")]
    nodes: Annotated[str, SettingDoc("names of nodes; `*` and `?` match any characters")] = "*"
    comment: Annotated[str, SettingDoc("free text")] = ""

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment: datetime = getattr(self, name)
            object.__setattr__(self, name, moment.replace(tzinfo=moment.tzinfo or UTC))
        if self.end <= self.start:
            raise UsageError(f"The maintenance of {self.nodes!r} ends before it starts ({self.start}); correct it.")

    def covers(self, node: str, time_us: int) -> bool:
        """Whether the node is in maintenance at that moment (µs)."""
        inside = microseconds(self.start) <= time_us < microseconds(self.end)
        return inside and fnmatchcase(node, self.nodes)


def maintained(windows: Sequence[Maintenance], node: str, time_us: int) -> bool:
    """Whether any window covers the node at that moment (µs)."""
    return any(window.covers(node, time_us) for window in windows)
