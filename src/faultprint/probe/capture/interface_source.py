"""A Linux interface as a live source (AF_PACKET, packet(7))."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.probe.capture.sockets import DROPPED, enlarge_buffer
from faultprint.probe.decode.link import ETHERNET, RAW_IP
from faultprint.probe.types import Packet
from faultprint.units import SECOND_US

MAX_PACKETS_PER_READ: Final = 4096
"""Packets that are read before the next source has its turn."""
DELAY_US: Final = SECOND_US // 10
"""Packets of different queues may be this much out of order."""

_ALL_PROTOCOLS: Final = 3
_OUTGOING: Final = 4
_SO_TIMESTAMPNS: Final = 35
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_LOOPBACK: Final = 772
_LINKS: Final = {1: ETHERNET, _LOOPBACK: ETHERNET, 65_534: RAW_IP}
"""ARPHRD_ number of the hardware → LINKTYPE_ number of its frames: Ethernet, loopback, tunnels without a header."""
_TIMESPEC: Final = struct.Struct("@qq")
_MAX_FRAME: Final = 262_144
_STATES: Final = Path("/sys/class/net")
_DOWN: Final = ("down", "lowerlayerdown", "notpresent")


class InterfaceSource:
    """All frames of an interface, in both directions, with timestamps of the kernel. Needs CAP_NET_RAW.

    While the link is down, nothing is heard.
    """

    def __init__(self, name: str) -> None:
        """Raises UsageError."""
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        except (AttributeError, PermissionError) as error:
            raise UsageError(
                f"Interface {name} cannot be captured ({error}); this needs Linux and the capability CAP_NET_RAW."
            ) from None
        try:
            enlarge_buffer(self._socket)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._socket.bind((name, 0))
        except OSError as error:
            self._socket.close()
            raise UsageError(f"There is no interface {name!r} ({error.strerror}); see `ip link`.") from None
        self._socket.setblocking(False)
        self._state = _STATES / name / "operstate"
        self.complete_us = self.alive_us = time.time_ns() // 1000
        self._looked_us = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        """The packets that have arrived, oldest first."""
        packets: list[Packet] = []
        now_us = time.time_ns() // 1000
        for _ in range(MAX_PACKETS_PER_READ):
            try:
                data, ancillary, _, (_, _, direction, hardware, _) = self._socket.recvmsg(_MAX_FRAME, 64)
            except OSError:
                self.complete_us = now_us - DELAY_US
                break
            # The kernel shows each frame of the loopback interface twice: once outgoing, once incoming.
            if hardware == _LOOPBACK and direction == _OUTGOING:
                continue
            packets.append((_timestamp(ancillary), _LINKS.get(hardware, ETHERNET), data))
        else:
            self.complete_us = packets[-1][0] - DELAY_US if packets else self.complete_us
        if dropped := struct.unpack("@II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]:
            skipped[DROPPED] += dropped
        if packets or self._up(now_us):
            self.alive_us = now_us
        return packets

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        """The packets that have arrived, at the end."""
        return self.read(skipped)

    def speakers(self, node: str) -> list[tuple[int, int]]:
        """The interface would report every node, as long as its link is up."""
        return [(self.alive_us, self.alive_us)]

    def close(self) -> None:
        self._socket.close()

    def _up(self, now_us: int) -> bool:
        """Whether the link is up; looked up once a second."""
        if 0 <= now_us - self._looked_us < SECOND_US:
            return self._was_up
        self._looked_us = now_us
        try:
            self._was_up = self._state.read_text().strip() not in _DOWN
        except OSError:
            self._was_up = False
        return self._was_up

    _was_up = True


def _timestamp(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """The kernel's time of arrival, or the present time if it gave none; µs."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            return int(seconds * SECOND_US + nanoseconds // 1000)
    return time.time_ns() // 1000
