"""How far a partition was read. It is stored with each minute, so that a restart neither loses nor repeats records.

Rows of minutes that are not final are only in memory. After a restart, reading therefore begins at the first such row. Until
`replay_end` the records are read for the second time: rows of final minutes are skipped, other rows are added again, and no
minute is finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.ingest.watermark import SourceWatermark, WatermarkBuffer

FACT: Final = "kafka"
"""The stored fact that holds the position."""


@dataclass(slots=True)
class ReadPosition:
    """`next_offset`: offset of the next record (None: not known yet). `replay_end`: records before it were read before."""

    next_offset: int | None = None
    replay_end: int = 0
    _waiting: dict[int, int] = field(default_factory=dict)
    """Number of a minute → offset of its first record."""

    @property
    def replaying(self) -> bool:
        """Whether the next record was read before the restart."""
        return self.next_offset is not None and self.next_offset < self.replay_end

    def add_waiting(self, minute: int, offset: int) -> None:
        """The record at `offset` holds a row of the minute of this number."""
        self._waiting.setdefault(minute, offset)

    def resume_offset(self, closed: int) -> int:
        """Where reading must begin after a restart, if the minutes up to number `closed` are final."""
        assert self.next_offset is not None
        for minute in [minute for minute in self._waiting if minute <= closed]:
            del self._waiting[minute]
        return min(self._waiting.values(), default=self.next_offset)

    def facts(self, buffer: WatermarkBuffer) -> Mapping[str, str]:
        """What is stored with the state of a minute. The JSON names are part of the stored format."""
        assert self.next_offset is not None
        watermarks = [[*key, mark.watermark_us, mark.advanced_us] for key, mark in buffer.watermarks.items()]
        document = {
            "anew": self.resume_offset(buffer.closed),
            "seen": max(self.next_offset, self.replay_end),
            "now": buffer.now_us,
            "promises": watermarks,
        }
        return {FACT: json.dumps(document)}

    @classmethod
    def restore(cls, facts: Mapping[str, str], buffer: WatermarkBuffer) -> ReadPosition:
        """The stored position; the watermarks of the senders go back to `buffer`. Raises UsageError if it is damaged."""
        if FACT not in facts:
            return cls()
        try:
            document = json.loads(facts[FACT])
            for source, origin, watermark_us, advanced_us in document["promises"]:
                buffer.watermarks[source, origin] = SourceWatermark(int(watermark_us), int(advanced_us))
            buffer.now_us = int(document["now"])
            return cls(int(document["anew"]), int(document["seen"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"The state's read position is damaged ({error}); it was altered outside Faultprint: remove the state file."
            ) from None
