"""The clock of the capture. Packets with a wrong timestamp must not move it.

The clock follows the timestamps of the packets. A packet far from the clock is deferred until later packets decide: if
they continue at its time, the clock moves there; if they return to the old time, the deferred packets are outliers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from faultprint.probe.types import Packet
from faultprint.units import DAY_US, HOUR_US, SECOND_US

RELATIVE_UNTIL: Final = 631_152_000 * SECOND_US
"""1990: there are no older captures, so earlier times are of a clock that was not set when its machine started."""
MAX_TIME: Final = 4_102_444_800 * SECOND_US
"""2100."""
MAX_LATENESS_US: Final = 10 * SECOND_US
"""A packet may be this late: several queues and interfaces are not written in strict order."""
MAX_SILENCE_US: Final = HOUR_US
"""After a longer silence, later packets must confirm the new time."""
MAX_GAP_US: Final = DAY_US
"""After a longer silence, the end of the capture does not confirm the new time either."""
CONFIRMING_PACKETS: Final = 8
"""Consecutive packets that confirm a new time."""

INVALID: Final = "timestamp before 1970 or after 2100"
OUTLIER: Final = "timestamp far from neighbouring packets"

UNSET: Final = -1


class PacketClock:
    """The time of the capture.

    now        up to this time (µs) the capture is read
    since      time (µs) at which the present coverage interval began
    low, high  packets with timestamps from `low` to `high` are accepted at once; `set` moves these limits
    outliers   deferred packets, to be accepted or rejected

    All times are UNSET before the first accepted packet.
    """

    __slots__ = ("_reject", "_skipped", "high", "low", "now", "outliers", "since")

    def __init__(self, skipped: Counter[str], reject: Callable[[Packet], None]) -> None:
        """`skipped` counts the rejected packets by reason; `reject` is called with each of them."""
        self._skipped = skipped
        self._reject = reject
        self.outliers: list[Packet] = []
        self.reset()

    def reset(self) -> None:
        """End the coverage interval. The time of the next packet needs a confirmation again."""
        self.now = self.since = self.low = self.high = UNSET

    def set(self, timestamp: int) -> None:
        """Move to the time of an accepted packet."""
        self.now = timestamp
        self.low = timestamp - MAX_LATENESS_US
        self.high = timestamp + MAX_SILENCE_US
        if self.since == UNSET:
            self.since = timestamp

    @property
    def latest(self) -> int:
        """Time of the last packet that is accepted or deferred."""
        return self.outliers[-1][0] if self.outliers else self.now

    def accept(self) -> None:
        """A packet near the clock came: reject the deferred packets."""
        for packet in self.outliers:
            self._skipped[OUTLIER] += 1
            self._reject(packet)
        self.outliers.clear()

    def defer(self, packet: Packet) -> list[Packet]:
        """Defer a packet outside `low` to `high`. Returns the packets that are accepted now, in order; mostly none."""
        if not 0 <= packet[0] < MAX_TIME:
            self._skipped[INVALID] += 1
            self._reject(packet)
            return []
        if self.outliers and not -MAX_LATENESS_US <= packet[0] - self.outliers[-1][0] <= MAX_GAP_US:
            self.accept()
        self.outliers.append(packet)
        return self._release() if len(self.outliers) >= CONFIRMING_PACKETS else []

    def finish(self) -> list[Packet]:
        """At the end of the capture: the deferred packets that are accepted."""
        if self.outliers and (self.now == UNSET or 0 <= self.outliers[0][0] - self.now <= MAX_GAP_US):
            return self._release()
        self.accept()
        return []

    def _release(self) -> list[Packet]:
        packets, self.outliers = self.outliers, []
        return packets
