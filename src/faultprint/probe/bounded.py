"""A dictionary with a limit, so that nothing that the network sends can fill the memory."""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedTable(dict[K, V], Generic[K, V]):
    """A dictionary with at most `capacity` entries. Use `put` to add one."""

    __slots__ = ("capacity",)

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def put(self, key: K, value: V) -> None:
        """Add an entry as the newest. If the table is full, first drop the oldest sixteenth."""
        self.pop(key, None)
        if len(self) >= self.capacity:
            # Many at once: to find the first entry, a dictionary walks over all deleted entries before it.
            for oldest in list(islice(self, max(1, self.capacity // 16))):
                del self[oldest]
        self[key] = value
