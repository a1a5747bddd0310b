"""Puts an agent's messages back in order: on the wire no response precedes its request, and no ACK what it acknowledges.

An agent with several processes stamps and reports a message that it sends only when the process comes to it, mostly at
once, a tenth of a second late on a busy machine. By then another process may have stamped, or reported, or both, the
response, or the ACK of a response.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final, NamedTuple

from faultprint.probe.capture.hep import HepPacket
from faultprint.probe.messages.sip_header import CALL_ID, CSEQ

HOLD_US: Final = 400_000
"""How long each message waits for one that belongs before it, µs of the agent's time.

Less than T1 (500 ms) by more than `duplicates.WINDOW_US`: a request that is sent again may be put before the response
that it crossed, but never so near to the first that it would count as its copy.
"""
MAX_HELD: Final = 65_536
_MAX_CAUSES: Final = 64
"""Of one transaction; nothing is sent more often than eleven times (timers E and G)."""
_ACK: Final = b"ACK"
_INVITE: Final = b"INVITE"

_Label = tuple[bytes, int, bytes, int, bytes, bytes, bytes]
"""Endpoints as the request has them, Call-ID, number and method of CSeq."""


class _Held(NamedTuple):
    """A message that waits. `number` counts them; `own` is what it is a consequence of, `consequence` what may follow."""

    time: int
    number: int
    packet: HepPacket
    own: _Label | None
    consequence: _Label | None


class CausalReorderBuffer:
    """`put` messages as they come, `take` those that have waited long enough."""

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._causes: dict[_Label | None, dict[int, _Held]] = {}
        """Those of the held that may have a consequence, by that and number."""
        self._early: set[int] = set()
        """Numbers of the held that went out with their consequence."""
        self._latest = self._count = 0

    def put(self, packet: HepPacket) -> None:
        """One message."""
        self._latest = max(self._latest, packet.timestamp)
        held = _Held(packet.timestamp, self._count, packet, *_labels(packet))
        self._count += 1
        insort(self._held, held)
        if held.consequence is not None:
            causes = self._causes.setdefault(held.consequence, {})
            if len(causes) < _MAX_CAUSES:
                causes[held.number] = held

    def take(self, everything: bool = False) -> list[HepPacket]:
        """The messages that have been held for HOLD_US, or all of them, by time.

        What was stamped up to HOLD_US after its consequence is taken to have been sent just before that.
        """
        count = len(self._held)
        if not everything and count < MAX_HELD:
            count = bisect_right(self._held, self._latest - HOLD_US, key=_time)
        due = self._held[:count]
        del self._held[:count]
        taken: list[HepPacket] = []
        for held in due:
            if held.number in self._early:
                self._early.remove(held.number)
            else:
                self._give(held, held.time, taken)
        taken.sort(key=_stamp)
        return taken

    def _give(self, held: _Held, at: int, taken: list[HepPacket]) -> None:
        """The message as sent at `at`, and before it what it is a consequence of."""
        if siblings := self._causes.get(held.consequence):
            siblings.pop(held.number, None)
            if not siblings:
                del self._causes[held.consequence]
        for cause in list(self._causes.get(held.own, {}).values()):
            if cause.time <= held.time + HOLD_US:
                self._early.add(cause.number)
                self._give(cause, at - 1, taken)
        taken.append(held.packet if at == held.time else held.packet._replace(timestamp=at))


def _time(held: _Held) -> int:
    return held.time


def _stamp(packet: HepPacket) -> int:
    return packet.timestamp


def _labels(packet: HepPacket) -> tuple[_Label | None, _Label | None]:
    """What the message is a consequence of, and what would be its own: a request's is its response, that of a response
    to INVITE the ACK. None where there is no such thing, or where a header is missing."""
    text = packet.payload
    # Up to the end of its last line; where there is none, the message is cut short.
    end = text.find(b"\r\n\r\n") + 2
    call, sequence = (header.value(text, end if end > 1 else len(text)) for header in (CALL_ID, CSEQ))
    parts = (sequence or b"").split()
    if not call or len(parts) != 2:
        return None, None
    number, method = parts[0], parts[1].upper()
    one, other = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    if text.startswith(b"SIP/2.0 "):
        ends = (*other, *one, call, number)
        return (*ends, method), (*ends, _ACK) if method == _INVITE else None
    ends = (*one, *other, call, number)
    return ((*ends, _ACK), None) if method == _ACK else (None, (*ends, method))
