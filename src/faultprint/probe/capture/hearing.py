"""When each node was heard: the coverage of a live probe.

A node is heard while an agent that reports it lives, whether the node has traffic or not. When the last such agent has been
silent for a time, the node was not heard since then, and nothing is known of it: a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from faultprint.units import HOUR_US

_KEPT_US: Final = 2 * HOUR_US
"""Intervals that ended longer ago are forgotten, if they are not needed for a file."""


class Speaking(Protocol):
    """What is asked of a live source. `alive_us`: when it last heard anything at all."""

    alive_us: int

    def speakers(self, node: str) -> list[tuple[int, int]]:
        """When each agent last reported the node, and when it was last heard; µs."""


class HeardInterval(NamedTuple):
    """A node was heard in start_us ≤ t < end_us."""

    node: str
    start_us: int
    end_us: int


class _NodeHearing:
    def __init__(self, since_us: int) -> None:
        self.start_us: int | None = since_us
        """Start of the interval that lasts; None: the node is not heard."""
        self.last_us = since_us
        self.finished: list[tuple[int, int]] = []


class Hearing:
    """Follows which nodes are heard. All times are µs of the arrival clock.

    decided_us   up to this time it is known whether each node was heard, and all its messages have been read
    """

    def __init__(self, nodes: Iterable[str], since_us: int, silence_us: int) -> None:
        """`silence_us`: an agent that was not heard for so long is silent."""
        self._nodes = {node: _NodeHearing(since_us) for node in nodes}
        self._silence_us = silence_us
        self._updated_us = self.decided_us = since_us

    def update(self, sources: Sequence[Speaking], complete_us: int, now_us: int) -> None:
        """Look at the sources. `complete_us`: all messages up to here have been read."""
        decided = complete_us
        for node, hearing in self._nodes.items():
            heard_us = self._heard(node, sources, hearing.last_us)
            if now_us - heard_us <= self._silence_us:
                if hearing.start_us is None:
                    # Its first message has come since the last look.
                    hearing.start_us = self._updated_us
                decided = min(decided, heard_us)
            elif hearing.start_us is not None:
                hearing.finished.append((hearing.start_us, max(heard_us, hearing.start_us)))
                hearing.start_us = None
            hearing.last_us = heard_us
        self.decided_us = max(self.decided_us, decided)
        self._updated_us = now_us

    def unheard(self) -> list[str]:
        """The nodes that are not heard at present."""
        return [node for node, hearing in self._nodes.items() if hearing.start_us is None]

    def intervals(self, end_us: int) -> list[HeardInterval]:
        """When each node was heard, until `end_us` at most."""
        return [
            HeardInterval(node, start, min(end, end_us))
            for node, hearing in self._nodes.items()
            for start, end in (*hearing.finished, *([] if hearing.start_us is None else [(hearing.start_us, end_us)]))
            if start < end_us and start < end
        ]

    def forget(self, now_us: int) -> None:
        """Forget intervals that ended long ago."""
        for hearing in self._nodes.values():
            hearing.finished = [span for span in hearing.finished if span[1] > now_us - _KEPT_US]

    def _heard(self, node: str, sources: Sequence[Speaking], last_us: int) -> int:
        """When an agent that reports the node was last heard."""
        speakers = [speaker for source in sources for speaker in source.speakers(node)]
        if not speakers:
            # No agent has reported it so far. What can be heard is whatever lives.
            return max(last_us, *(source.alive_us for source in sources))
        latest = max(spoke for spoke, _ in speakers)
        # An agent that reported the node long before the others stopped is not one that would report it now.
        return max(heard for spoke, heard in speakers if spoke >= latest - self._silence_us)
