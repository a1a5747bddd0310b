"""Packets of capture files in order of time, and the holes in them.

A capture of several interfaces, or a merged one, is not written in strict order. Packets are sorted over a bounded
look-ahead. A packet whose time differs far from its neighbours' keeps its place in the file; `PacketClock` judges it.

A hole is a time without any packet that is longer than the traffic before it explains: with a tenth of its packets, some
twenty would still have been captured, and no earlier pause was a third as long. Either the capture was stopped, which is a
gap in the coverage, or the traffic was, which is an outage. The file rarely tells. Unless the user does:

    the hole                                                       is taken for
    frames other than IP (ARP, LLDP, STP) stopped with the rest    a gap: a node's outage does not silence its neighbours
    it lasts up to MAX_SILENCE_US                                  silence: an outage must not vanish
    it lasts longer                                                a gap: captures are stopped for hours, nodes seldom are

A shorter pause is a time without traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from operator import itemgetter
from typing import Final

from faultprint.probe.decode.link import ETHERNET
from faultprint.probe.types import Packet
from faultprint.units import MINUTE_US

LOOK_AHEAD: Final = 1024
"""Packets that are read before the first of them is handed on."""
LOOK_AHEAD_BYTES: Final = 2 << 20
NEIGHBOUR_US: Final = MINUTE_US
"""Packets are sorted only among those whose times follow each other within this time."""
MIN_HOLE_US: Final = MINUTE_US
MAX_SILENCE_US: Final = 15 * MINUTE_US
MIN_TRAFFIC_US: Final = 5 * MINUTE_US
"""Traffic of less time than this does not show what is usual."""
LONGER: Final = 3
"""How many times the longest earlier pause a hole lasts, so that traffic which comes in bursts has no holes."""
_EXPECTED: Final = 20
_REMAINING_SHARE: Final = 0.1
_CONFIRMING: Final = 8
"""Packets that must lie after a hole; fewer may have a wrong time."""
_RATE_US: Final = 20 * MINUTE_US
"""Traffic older than this fades from the rate."""

_BACKGROUND: Final = 3
"""Frames other than IP that show, among the packets before a hole, that the capture has more than the node's traffic."""
_IP_TYPES: Final = frozenset(
    {b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8", b"\x91\x00", b"\x88\x47", b"\x88\x64"}
)
"""EtherTypes of IP, and of tags that IP may follow."""

_time = itemgetter(0)


class HoleKind(StrEnum):
    """What a hole is taken for."""

    GAP = "gap"
    """Nothing was captured: the minutes are not covered."""
    SILENCE = "silence"
    """The capture was running, and there was no traffic."""
    AUTO = "auto"
    """One of the two, by what the capture shows."""


def ordered_blocks(packets: Iterator[Packet]) -> Iterator[tuple[list[Packet], list[Packet]]]:
    """The packets in blocks, in order of time within the look-ahead, each with the first packets that follow it.

    Packets of equal times keep their order.
    """
    waiting: list[Packet] = []
    while block := _next_block(packets):
        waiting = _sorted(waiting + block)
        ready = len(waiting) - len(block)
        if ready:
            yield waiting[:ready], waiting[ready : ready + _CONFIRMING]
            waiting = waiting[ready:]
    if waiting:
        yield waiting, []


def _next_block(packets: Iterator[Packet]) -> list[Packet]:
    """Up to LOOK_AHEAD packets or LOOK_AHEAD_BYTES."""
    block: list[Packet] = []
    size = 0
    while len(block) < LOOK_AHEAD and size < LOOK_AHEAD_BYTES:
        part = list(islice(packets, LOOK_AHEAD // 16))
        if not part:
            break
        block += part
        size += sum(map(len, map(itemgetter(2), part)))
    return block


def _sorted(packets: list[Packet]) -> list[Packet]:
    """The packets by time, each group of neighbours by itself."""
    times = list(map(_time, packets))
    if times == sorted(times):
        return packets
    result: list[Packet] = []
    start = 0
    for at in range(1, len(packets) + 1):
        if at == len(packets) or abs(times[at] - times[at - 1]) > NEIGHBOUR_US:
            result += sorted(packets[start:at], key=_time)
            start = at
    return result


class HoleFinder:
    """Finds the holes in a stream of ordered blocks, and what was too late for the look-ahead.

    `kind`: what every hole is taken for.
    """

    def __init__(self, kind: HoleKind = HoleKind.AUTO) -> None:
        self.holes: list[tuple[int, int, str]] = []
        """Begin and end of each, µs, and its kind: gap or silence."""
        self.late = 0
        """Packets that came after the look-ahead had handed on later ones."""
        self.latest_by_us = 0
        """The worst of their delays, µs."""
        self._previous: list[Packet] = []
        """The last block."""
        self._kind = kind
        self._latest = self._since = 0
        self._count = 0.0
        self._longest = 0
        """Longest pause so far, of those of at least MIN_HOLE_US."""

    def divide(self, block: list[Packet], following: list[Packet]) -> Iterator[list[Packet]]:
        """The block in parts: a gap lies before each part but the first, which is empty if a gap lies before the block.

        `following`: the first packets after the block.
        """
        if self._count and block[0][0] - self._latest >= 0 and block[-1][0] - self._latest < MIN_HOLE_US:
            self._take(block)
            yield block
            self._previous = block
            return
        self._count_late(block)
        start, ahead = 0, block + following
        for at, packet in enumerate(block):
            jump = packet[0] - self._latest
            if self._count and abs(jump) >= MIN_HOLE_US:
                if not self._stays(jump, ahead[at : at + _CONFIRMING]):
                    continue  # A single packet with a wrong time.
                if self._is_hole(jump):
                    kind = self._kind_of(jump, block[start:at])
                    self.holes.append((self._latest, packet[0], kind.value))
                    if kind is HoleKind.GAP:
                        yield block[start:at]
                        start = at
                    self._count = 0
                elif jump < 0:
                    self._count = 0
                self._longest = max(self._longest, jump)
            self._take([packet])
        yield block[start:]
        self._previous = block

    def _kind_of(self, hole: int, before: list[Packet]) -> HoleKind:
        """What a hole (µs) is taken for. `before`: the packets of its block that lie before it."""
        if self._kind is not HoleKind.AUTO:
            return self._kind
        stopped = _background_frames(self._previous) + _background_frames(before) >= _BACKGROUND
        return HoleKind.GAP if stopped or hole > MAX_SILENCE_US else HoleKind.SILENCE

    def _count_late(self, block: list[Packet]) -> None:
        """Count the packets that are late, but not by so much that their clock is wrong."""
        for time, _, _ in block:
            if self._count and 0 < self._latest - time < NEIGHBOUR_US:
                self.late += 1
                self.latest_by_us = max(self.latest_by_us, self._latest - time)

    def _stays(self, jump: int, packets: list[Packet]) -> bool:
        """Whether the packets after a jump (µs) stay on the other side of it."""
        return all(
            abs(time - self._latest) >= MIN_HOLE_US and (time > self._latest) == (jump > 0) for time, _, _ in packets
        )

    def _is_hole(self, pause: int) -> bool:
        """Whether a tenth of the packets so far would have shown in a pause (µs). A jump back is none."""
        duration = self._latest - self._since
        if duration < MIN_TRAFFIC_US or pause < LONGER * self._longest:
            return False
        return self._count >= _EXPECTED and _REMAINING_SHARE * self._count * pause / duration >= _EXPECTED

    def _take(self, packets: list[Packet]) -> None:
        if not self._count:
            self._since = self._latest = packets[0][0]
        self._count += len(packets)
        self._latest = max(self._latest, packets[-1][0])
        if self._latest - self._since > _RATE_US:
            self._since += (self._latest - self._since) // 2
            self._count /= 2


def _background_frames(packets: list[Packet]) -> int:
    """Ethernet frames that hold no IP."""
    return sum(link == ETHERNET and data[12:14] not in _IP_TYPES for _, link, data in packets)
