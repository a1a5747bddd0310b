"""A dictionary that forgets its oldest entries: nothing that the network sends may fill the memory."""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedTable(dict[K, V], Generic[K, V]):
    """At most `capacity` entries; `put` makes its entry the youngest and drops the oldest sixteenth when full."""

    __slots__ = ("capacity",)

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def put(self, key: K, value: V) -> None:
        self.pop(key, None)
        if len(self) >= self.capacity:
            # In batches: finding the first live entry of a dictionary walks over the dead ones before it.
            for oldest in list(islice(self, max(1, self.capacity // 16))):
                del self[oldest]
        self[key] = value
