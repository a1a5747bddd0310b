"""A packet as every source hands it over, and the names of the link layers."""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """One captured frame: when (µs since 1970, UTC), which link layer (a LINKTYPE_ number of tcpdump.org), its bytes."""

    timestamp: int
    link: int
    data: bytes
