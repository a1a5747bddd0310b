"""Return freed memory to the operating system."""

from __future__ import annotations

import ctypes


def trim_memory() -> None:
    """Call `malloc_trim`: glibc keeps freed memory otherwise. Does nothing with another C library."""
    if _trim is not None:
        _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
