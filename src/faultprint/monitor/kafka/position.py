"""How far a partition has been read, kept with each minute's state, so that a restart reads on without loss or repetition.

What waits for its minute to become final lies in memory only. So reading begins anew at the first record that waited, and
until `seen` it is known that the record was looked at before: rows of minutes that are final are passed over, all others
wait again, and nothing is judged before everything that was known is known again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.ingest.watermark import SourceWatermark, WatermarkBuffer

FACT: Final = "kafka"


@dataclass(slots=True)
class Position:
    """`following`: offset of the next record; None: wherever the group begins. `seen`: below it, records are read again."""

    following: int | None = None
    seen: int = 0
    _waiting: dict[int, int] = field(default_factory=dict)

    @property
    def again(self) -> bool:
        """Whether what comes has been seen before a restart."""
        return self.following is not None and self.following < self.seen

    def wait(self, minute: int, offset: int) -> None:
        """A row of the minute of this number came with the record at `offset`."""
        self._waiting.setdefault(minute, offset)

    def anew(self, closed: int) -> int:
        """Where reading must begin after a restart, if the minutes up to this number are final."""
        assert self.following is not None
        for minute in [minute for minute in self._waiting if minute <= closed]:
            del self._waiting[minute]
        return min(self._waiting.values(), default=self.following)

    def facts(self, gate: WatermarkBuffer) -> Mapping[str, str]:
        """What is written with a minute's state."""
        assert self.following is not None
        told = [[*key, promise.complete_us, promise.moved_us] for key, promise in gate.promises.items()]
        found = {
            "anew": self.anew(gate.closed),
            "seen": max(self.following, self.seen),
            "now": gate.now_us,
            "promises": told,
        }
        return {FACT: json.dumps(found)}

    @classmethod
    def recall(cls, facts: Mapping[str, str], gate: WatermarkBuffer) -> Position:
        """The position that the state holds; the gate gets back what it was promised. Raises UsageError."""
        if FACT not in facts:
            return cls()
        try:
            found = json.loads(facts[FACT])
            for source, origin, complete_us, moved_us in found["promises"]:
                gate.promises[source, origin] = SourceWatermark(int(complete_us), int(moved_us))
            gate.now_us = int(found["now"])
            return cls(int(found["anew"]), int(found["seen"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"The state does not say how far its partition was read ({error}); it was altered: remove it."
            ) from None
