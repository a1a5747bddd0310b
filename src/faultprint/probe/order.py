"""Puts an agent's messages back in order: what the agent reported after its own consequence goes before it.

An agent with several processes stamps a message that it sends only when the process comes to it, a few milliseconds
late at times, and by then another process may have reported the response, or the ACK of a response. On the wire no
response precedes its request, and no ACK what it acknowledges.
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
_SEQUENCE: Final = re.compile(rb"^CSeq[ \t]*:[ \t]*(\d+)[ \t]+(\w+)", re.IGNORECASE | re.MULTILINE)
_ACK: Final = b"ACK"

_Label = tuple[bytes, int, bytes, int, bytes, bytes, bytes]
"""Endpoints as the request has them, Call-ID, number and method of CSeq."""


class Reorder:
    """`put` messages as they come, `take` those that have waited long enough."""

    def __init__(self) -> None:
        self._held: deque[HepPacket] = deque()
        self._early: dict[_Label, int] = {}
        self._latest = 0

    def put(self, packet: HepPacket) -> None:
        """One message; if its consequence is held already, it is taken to have been sent just before that."""
        self._latest = max(self._latest, packet.timestamp)
        own, consequence = _labels(packet)
        if consequence is not None and (late := self._early.get(consequence)) is not None:
            packet = replace(packet, timestamp=min(packet.timestamp, late - 1))
        if own is not None:
            self._early.setdefault(own, packet.timestamp)
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


def _labels(packet: HepPacket) -> tuple[_Label | None, _Label | None]:
    """What the message is a consequence of, and what would be its own: a request's is its response, a response's is
    the ACK. None where there is no such thing, or where a header is missing."""
    head = packet.payload.partition(b"\r\n\r\n")[0]
    call, sequence = _CALL.search(head), _SEQUENCE.search(head)
    if call is None or sequence is None:
        return None, None
    one, other = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    number, method = sequence[1], sequence[2].upper()
    if head.startswith(b"SIP/2.0 "):
        ends = (*other, *one, call[1].strip(), number)
        return (*ends, method), (*ends, _ACK)
    ends = (*one, *other, call[1].strip(), number)
    return ((*ends, _ACK), None) if method == _ACK else (None, (*ends, method))
