"""Restore the order of an agent's messages: a response comes after its request, an ACK after its response.

An agent with several processes stamps and reports a message when the process gets to it: mostly at once, but up to 0.1 s
late on a busy machine. By then another process may already have stamped or reported the response, or its ACK.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from functools import lru_cache
from operator import attrgetter
from typing import Final

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip_header import CALL_ID
from faultprint.probe.types import HeardMessage

HOLD_US: Final = 400_000
"""How long each message waits for messages that belong before it, µs of the arrival clock.

It is more than `duplicates.WINDOW_US` below T1 (500 ms). So a retransmitted request may be put before the response that
it crossed, but never so close to the first request that it counts as its copy.
"""
MAX_HELD: Final = 65_536
_MAX_CAUSES: Final = 64
"""Messages of one transaction. No message is sent more than eleven times (timers E and G)."""
_time = attrgetter("time")


class CausalReorderBuffer:
    """Holds messages for a short time. `put` them as they arrive, and `take` those that have waited long enough."""

    def __init__(self) -> None:
        self._held: list[HeardMessage] = []
        """By time; of one time, in order of arrival."""
        self._causes: dict[int, list[HeardMessage]] = {}
        """Held messages that lead to a step, by that step."""

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._held)

    def put(self, heard: HeardMessage) -> None:
        """Add one message."""
        held = self._held
        if not held or held[-1].time <= heard.time:
            held.append(heard)
        else:
            insort(held, heard, key=_time)
        _find_steps(heard)
        if heard.consequence is not None:
            causes = self._causes.setdefault(heard.consequence, [])
            if len(causes) < _MAX_CAUSES:
                causes.append(heard)

    def take(self, until_us: int, everything: bool = False) -> list[HeardMessage]:
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
        taken: list[HeardMessage] = []
        for heard in due:
            if not heard.released:
                self._release(heard, heard.time, taken)
        taken.sort(key=_time)
        return taken

    def _release(self, heard: HeardMessage, time: int, taken: list[HeardMessage]) -> None:
        """Append the message with this time to `taken`, and before it all messages that belong before it."""
        heard.released = True
        if heard.consequence is not None and (siblings := self._causes.get(heard.consequence)):
            if heard in siblings:
                siblings.remove(heard)
            if not siblings:
                del self._causes[heard.consequence]
        if heard.cause is not None and (causes := self._causes.get(heard.cause)):
            for cause in causes.copy():
                if cause.time <= heard.time + HOLD_US and not cause.released:
                    self._release(cause, time - 1, taken)
        taken.append(heard if time == heard.time else HeardMessage(time, heard.leg, heard.message))


def _find_steps(heard: HeardMessage) -> None:
    """Find the step that a message is, and the step that it leads to. None if there is none, or a header is missing.

    A request leads to its response, and a response to an INVITE leads to the ACK. A step is a hash of the request's leg
    and of what identifies the transaction or, for an ACK, the call and CSeq number.
    """
    message = heard.message
    if isinstance(message, DiameterMessage):
        if message.request:
            heard.consequence = hash((heard.leg, message.hop_by_hop, message.end_to_end))
        else:
            heard.cause = hash((_turned(heard.leg), message.hop_by_hop, message.end_to_end))
        return
    if not message.identify():
        return
    if message.status:
        leg = _turned(heard.leg)
        heard.cause = hash((leg, message.via, message.cseq, message.cseq_method))
        if message.cseq_method == b"INVITE":
            heard.consequence = hash((leg, message.get(CALL_ID), message.cseq))
    elif message.method == b"ACK":
        heard.cause = hash((heard.leg, message.call_id, message.cseq))
    else:
        heard.consequence = hash((heard.leg, message.via, message.cseq, message.cseq_method))


@lru_cache(4096)
def _turned(leg: bytes) -> bytes:
    """The leg from the other end."""
    half = (len(leg) - 4) // 2
    return leg[half:-4] + leg[:half] + leg[-2:] + leg[-4:-2]
