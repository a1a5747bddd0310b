"""Memory that was needed for a moment only, given back to the system."""

from __future__ import annotations

import ctypes


def trim_memory() -> None:
    """What the C library keeps of memory that is free; where it is not glibc, nothing happens."""
    if _trim is not None:
        _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
