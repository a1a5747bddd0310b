"""Wrong tokens: each client may send a few, then it must pause longer and longer."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FREE: Final = 5
"""Wrong tokens of a client without a pause."""
LONGEST_S: Final = 60.0
"""The longest pause; the first one is a second, and each further wrong token doubles it."""
FORGIVEN_S: Final = 900.0
"""Time without a wrong token after which a client is forgotten."""
CLIENTS: Final = 1024
"""Clients that are remembered: those with the latest wrong tokens."""
LOG_S: Final = 60.0
"""Time between two reports."""


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class TokenAttempts:
    """Counts the wrong tokens of each client. Not thread-safe."""

    def __init__(
        self,
        report: Callable[[str, int], object] = lambda client, count: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report(client, count)`: called with the last client and the wrong tokens since the last report, once a minute."""
        self._report, self._clock = report, clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._unreported, self._reported = 0, -math.inf

    def __len__(self) -> int:
        return len(self._failures)

    def pause_s(self, client: str) -> float:
        """How long the client must wait before its next token is looked at, seconds."""
        failures = self._failures.get(client)
        if failures is None or failures.count < FREE:
            return 0.0
        pause = min(2.0 ** min(failures.count - FREE, 30), LONGEST_S)
        return max(failures.last + pause - self._clock(), 0.0)

    def failed(self, client: str) -> None:
        """The client sent a wrong token."""
        now = self._clock()
        failures = self._failures.pop(client, None)
        if failures is None or now - failures.last > FORGIVEN_S:
            failures = _Failures(0, now)
        failures.count, failures.last = failures.count + 1, now
        self._failures[client] = failures
        if len(self._failures) > CLIENTS:
            self._failures.popitem(last=False)
        self._unreported += 1
        if now - self._reported >= LOG_S:
            self._report(client, self._unreported)
            self._unreported, self._reported = 0, now

    def succeeded(self, client: str) -> None:
        """The client sent the right token."""
        self._failures.pop(client, None)
