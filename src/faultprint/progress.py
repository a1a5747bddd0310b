"""How a long operation tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""progress(done, total)"""
NotedProgress = Callable[[int, int, str], None]
"""progress(done, total, note): the note says what is in hand."""
