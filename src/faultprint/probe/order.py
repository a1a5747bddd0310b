"""Puts an agent's messages back in order: a request that the agent reported after its own response goes before it.

An agent with several processes stamps a message that it sends only when the process comes to it, a few milliseconds
late at times, and by then another process may have reported the response. On the wire no response precedes its request.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import Final

from faultprint.probe.hep import HepPacket

HOLD_US: Final = 50_000
"""How long each message waits for one that belongs before it, µs of the agent's time."""
MAX_HELD: Final = 65_536
_CALL: Final = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_SEQUENCE: Final = re.compile(rb"^CSeq[ \t]*:[ \t]*(\d+[ \t]+\w+)", re.IGNORECASE | re.MULTILINE)

_Key = tuple[bytes, int, bytes, int, bytes, bytes]


class Reorder:
    """`put` messages as they come, `take` those that have waited long enough."""

    def __init__(self) -> None:
        self._held: deque[HepPacket] = deque()
        self._early: dict[_Key, int] = {}
        self._latest = 0

    def put(self, packet: HepPacket) -> None:
        """One message; a request whose response is held already is taken to have been sent just before it."""
        self._latest = max(self._latest, packet.timestamp)
        response = packet.payload.startswith(b"SIP/2.0 ")
        key = _key(packet, response)
        if key is not None and response:
            self._early.setdefault(key, packet.timestamp)
        elif key is not None and (answered := self._early.get(key)) is not None:
            packet = replace(packet, timestamp=min(packet.timestamp, answered - 1))
        self._held.append(packet)

    def take(self, everything: bool = False) -> list[HepPacket]:
        """The messages that have been held for HOLD_US, or all of them, by time."""
        limit = self._latest - HOLD_US
        if not everything and len(self._held) < MAX_HELD and (not self._held or self._held[0].timestamp > limit):
            return []
        ordered = sorted(self._held, key=lambda packet: packet.timestamp)
        taken = [packet for packet in ordered if everything or packet.timestamp <= limit]
        if len(ordered) >= MAX_HELD:
            taken = ordered
        self._held = deque(ordered[len(taken) :])
        self._early = {key: at for key, at in self._early.items() if at > limit}
        return taken


def _key(packet: HepPacket, response: bool) -> _Key | None:
    """What a request and its responses share, seen from the request; None where a header is missing."""
    head = packet.payload.partition(b"\r\n\r\n")[0]
    call, sequence = _CALL.search(head), _SEQUENCE.search(head)
    if call is None or sequence is None:
        return None
    one, other = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    first, second = (other, one) if response else (one, other)
    return (*first, *second, call[1].strip(), sequence[1])
