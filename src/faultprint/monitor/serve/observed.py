"""What the HTTP server needs to know of a monitor, or of a member of a consumer group with several monitors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.base.log import Log
from faultprint.monitor.monitor import Monitor


class Observed(Protocol):
    """A process that watches nodes."""

    @property
    def liveness(self) -> Liveness:
        """Whether its main loop turns."""

    @property
    def log(self) -> Log:
        """Its log."""

    @property
    def leaving(self) -> list[Callable[[Monitor], None]]:
        """Functions to call with each monitor that ends while others go on."""

    @property
    def monitors(self) -> Sequence[Monitor]:
        """Its monitors at present."""

    @property
    def partitions(self) -> int | None:
        """Partitions of the Kafka topic that it holds; None: it does not use Kafka."""
