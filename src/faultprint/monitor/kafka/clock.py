"""The arrival clock of a partition: when the records that are read now were written.

A monitor that was down, or could not reach its brokers, reads old records. By the clock of the machine all of them would be too
late. While there is more to read, this clock therefore shows the timestamp of the last record. After the end of the log it
shows the time of the machine. It never goes back, and a timestamp in the future counts as now.
"""

from __future__ import annotations

from faultprint.monitor.base.interfaces import Clock


class LogClock:
    """`catching_up`: the end of the log was not reached yet, or the brokers do not answer."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._now_us = 0
        self.catching_up = True

    def now_us(self) -> int:
        if not self.catching_up:
            self.advance_to(self._machine.now_us())
        return self._now_us

    def advance_to(self, time_us: int) -> None:
        """Go forward to `time_us`; an earlier time changes nothing."""
        self._now_us = max(self._now_us, time_us)

    def observe(self, time_us: int) -> None:
        """A record with this timestamp was read (below 0: it has none)."""
        machine_us = self._machine.now_us()
        self.advance_to(machine_us if time_us < 0 else min(time_us, machine_us))
        self.catching_up = True
