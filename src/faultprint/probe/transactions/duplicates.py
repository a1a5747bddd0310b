"""Recognise a message that was captured twice: the copy of a mirror port, of a tunnel, or of the other end of a hop."""

from __future__ import annotations

from typing import Final

WINDOW_US: Final = 20_000
"""Within this time a message is a copy of an equal one, unless the origins show that it was sent again."""
REPORT_WINDOW_US: Final = 250_000
"""Within this time it is a copy if the origins show it: half of T1, after which a request is sent again (RFC 3261,
17.1.1.1)."""
SOURCE_SHIFT: Final = 16
AGENTS: Final = 1 << 16
"""Sources from this number on are HEP agents. An agent tells no IP identification, but it reports an answer once a
sending, so that an answer which it reports again was sent again."""
TWICE_US: Final = 1000
"""An agent that traces every message twice does so within this time."""
_IDENTIFICATION: Final = (1 << SOURCE_SHIFT) - 1
_MAX_MESSAGES: Final = 8192
_MAX_COPIES: Final = 16


class DuplicateFilter:
    """Remembers the messages of the last 250 to 500 ms by a hash of leg and bytes.

    The origin of a message says where it was captured and which packet it was: the IP identification (0: not known) in
    the low 16 bits, the number of the interface or agent above. Packets with the same identification are one packet seen
    twice; with different ones the message was sent twice. Where the identification is not known, each interface or agent
    reports a message once.
    """

    __slots__ = ("_new", "_old", "_since")

    def __init__(self) -> None:
        self._new: dict[int, tuple[int, ...]] = {}
        """Hash → time and origin of each time it was seen, one after the other."""
        self._old: dict[int, tuple[int, ...]] = {}
        self._since = 0

    def is_duplicate(self, timestamp: int, leg: bytes, text: bytes, origin: int = 0) -> bool:
        """Whether the packet at `timestamp` (µs) is a copy of one with the same bytes on the same leg."""
        if not 0 <= timestamp - self._since < REPORT_WINDOW_US or len(self._new) > _MAX_MESSAGES:
            self._old, self._new, self._since = self._new, {}, timestamp
        key = hash((leg, text))
        new = self._new
        seen = new.get(key)
        if seen is None:
            seen = self._old.get(key)
            if seen is None:
                new[key] = (timestamp, origin)
                return False
        new[key] = (*seen[-2 * _MAX_COPIES :], timestamp, origin)
        answer_of_agent = origin >> SOURCE_SHIFT >= AGENTS and text.startswith(b"SIP/2.0 ")
        return _is_copy(timestamp, origin, seen, TWICE_US if answer_of_agent else WINDOW_US)


def _is_copy(timestamp: int, origin: int, seen: tuple[int, ...], window_us: int) -> bool:
    """`window_us`: within this time a source without identifications shows the same packet twice."""
    identification, source = origin & _IDENTIFICATION, origin >> SOURCE_SHIFT
    by_source: dict[int, int] = {source: 1}
    for at in range(0, len(seen), 2):
        apart, other = abs(timestamp - seen[at]), seen[at + 1]
        if apart >= REPORT_WINDOW_US:
            continue
        if identification and other & _IDENTIFICATION:
            if identification == other & _IDENTIFICATION:
                return True
            continue
        other_source = other >> SOURCE_SHIFT
        if other_source == source and apart < window_us:
            return True
        by_source[other_source] = by_source.get(other_source, 0) + 1
    # The nth report of one source is a copy of the nth report of another one.
    return any(count >= by_source[source] for number, count in by_source.items() if number != source)
