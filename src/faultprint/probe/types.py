"""A packet as every source hands it over."""

from __future__ import annotations

Packet = tuple[int, int, bytes]
"""When (µs since 1970, UTC), which link layer (a LINKTYPE_ number of tcpdump.org), the frame. A plain tuple: one is made
for every packet of a capture."""
