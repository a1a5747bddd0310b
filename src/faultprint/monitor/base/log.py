"""Structured logs: one JSON object a line."""

from __future__ import annotations

import json
import threading
from typing import Any, TextIO

from faultprint.monitor.base.interfaces import Clock
from faultprint.publish.text import rfc3339


class JsonLog:
    """Writes to a stream; any thread may speak. A stream that is gone ends the speaking, not the monitor."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock, self._lock = stream, clock, threading.Lock()

    def __call__(self, event: str, /, **fields: Any) -> None:
        """One line: `time`, `event`, and the fields."""
        line = json.dumps({"time": rfc3339(self._clock.now_us()), "event": event, **fields}, default=str)
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return
