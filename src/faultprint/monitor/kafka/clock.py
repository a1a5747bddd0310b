"""The arrival clock of a partition: when what is read now was put on the log.

A monitor that was away, or whose brokers were, reads what others heard meanwhile. By the machine's clock all of that would
seem to come too late. So the clock shows the record's own time while there is more to read, and the machine's only once the
end of the log has been reached; the time of a record is never taken to lie in the future, and the clock never goes back.
"""

from __future__ import annotations

from faultprint.monitor.base.interfaces import Clock


class LogClock:
    """`behind` until told otherwise: there is more to read, or nobody knows."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._at_us = 0
        self.behind = True

    def now_us(self) -> int:
        if not self.behind:
            self.reach(self._wall.now_us())
        return self._at_us

    def reach(self, time_us: int) -> None:
        """It has been as late as that, even if another monitor saw it."""
        self._at_us = max(self._at_us, time_us)

    def heard(self, time_us: int) -> None:
        """A record of this time was read; below 0: it has none."""
        wall_us = self._wall.now_us()
        self.reach(wall_us if time_us < 0 else min(time_us, wall_us))
        self.behind = True
