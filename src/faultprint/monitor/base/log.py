"""The structured log: one JSON object per line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, TextIO

from faultprint.monitor.base.interfaces import Clock
from faultprint.publish.text import rfc3339

Log = Callable[..., None]
"""log(event, **fields) writes one line of the log."""


class JsonLog:
    """Writes to a stream. Any thread may call it. A broken stream stops the log, not the monitor."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock, self._lock = stream, clock, threading.Lock()

    def __call__(self, event: str, /, **fields: Any) -> None:
        """Write one line: `time`, `event`, and the fields."""
        line = json.dumps({"time": rfc3339(self._clock.now_us()), "event": event, **fields}, default=str)
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return
