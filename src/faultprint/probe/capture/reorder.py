"""Restore the order of an agent's messages: a response comes after its request, an ACK after its response.

An agent with several processes stamps and reports a message when the process gets to it: mostly at once, but up to 0.1 s
late on a busy machine. By then another process may already have stamped or reported the response, or its ACK.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final, NamedTuple

from faultprint.probe.capture.hep import HepPacket
from faultprint.probe.messages.sip_header import CALL_ID, CSEQ

HOLD_US: Final = 400_000
"""How long each message waits for messages that belong before it, µs of the arrival clock.

It is more than `duplicates.WINDOW_US` below T1 (500 ms). So a retransmitted request may be put before the response that
it crossed, but never so close to the first request that it counts as its copy.
"""
MAX_HELD: Final = 65_536
_MAX_CAUSES: Final = 64
"""Messages of one transaction. No message is sent more than eleven times (timers E and G)."""
_ACK: Final = b"ACK"
_INVITE: Final = b"INVITE"

_Step = tuple[bytes, int, bytes, int, bytes, bytes, bytes]
"""One step of a transaction: source and target endpoint of the request, Call-ID, CSeq number, and the method."""


class _HeldMessage(NamedTuple):
    """A message that waits. It follows messages that lead to the step `cause`, and itself leads to `consequence`."""

    time: int
    number: int
    """In order of arrival."""
    packet: HepPacket
    cause: _Step | None
    consequence: _Step | None


class CausalReorderBuffer:
    """Holds messages for a short time. `put` them as they arrive, and `take` those that have waited long enough."""

    def __init__(self) -> None:
        self._held: list[_HeldMessage] = []
        self._causes: dict[_Step | None, dict[int, _HeldMessage]] = {}
        """Held messages that lead to a step, by that step and by number."""
        self._released_early: set[int] = set()
        """Numbers of held messages that were released together with their consequence."""
        self._count = 0

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._held)

    def put(self, packet: HepPacket) -> None:
        """Add one message."""
        held = _HeldMessage(packet.timestamp, self._count, packet, *_steps(packet))
        self._count += 1
        insort(self._held, held)
        if held.consequence is not None:
            causes = self._causes.setdefault(held.consequence, {})
            if len(causes) < _MAX_CAUSES:
                causes[held.number] = held

    def take(self, until_us: int, everything: bool = False) -> list[HepPacket]:
        """The messages with a time up to `until_us`, or all of them, in order of time.

        The caller stays HOLD_US behind the time up to which all messages have arrived.

        A message with a timestamp up to HOLD_US after its consequence gets a time just before that consequence.
        """
        count = len(self._held)
        if not everything and count < MAX_HELD:
            if not count or self._held[0].time > until_us:
                return []
            count = bisect_right(self._held, until_us, key=_time)
        due = self._held[:count]
        del self._held[:count]
        taken: list[HepPacket] = []
        for held in due:
            if held.number in self._released_early:
                self._released_early.remove(held.number)
            else:
                self._release(held, held.time, taken)
        taken.sort(key=_timestamp)
        return taken

    def _release(self, held: _HeldMessage, time: int, taken: list[HepPacket]) -> None:
        """Append the message with this time to `taken`, and before it all messages that belong before it."""
        if siblings := self._causes.get(held.consequence):
            siblings.pop(held.number, None)
            if not siblings:
                del self._causes[held.consequence]
        for cause in list(self._causes.get(held.cause, {}).values()):
            if cause.time <= held.time + HOLD_US:
                self._released_early.add(cause.number)
                self._release(cause, time - 1, taken)
        taken.append(held.packet if time == held.time else held.packet._replace(timestamp=time))


def _time(held: _HeldMessage) -> int:
    return held.time


def _timestamp(packet: HepPacket) -> int:
    return packet.timestamp


def _steps(packet: HepPacket) -> tuple[_Step | None, _Step | None]:
    """The step that a message is, and the step that it leads to.

    A request leads to its response, and a response to an INVITE leads to the ACK. None for no such step, and if a header
    is missing.
    """
    text = packet.payload
    # Up to the end of the last header line. Without one, the message is truncated.
    end = text.find(b"\r\n\r\n") + 2
    call, sequence = (header.value(text, end if end > 1 else len(text)) for header in (CALL_ID, CSEQ))
    parts = (sequence or b"").split()
    if not call or len(parts) != 2:
        return None, None
    number, method = parts[0], parts[1].upper()
    source, target = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    if text.startswith(b"SIP/2.0 "):
        ends = (*target, *source, call, number)
        return (*ends, method), (*ends, _ACK) if method == _INVITE else None
    ends = (*source, *target, call, number)
    return ((*ends, _ACK), None) if method == _ACK else (None, (*ends, method))
