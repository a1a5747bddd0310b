"""A sink: what is encoded for it, how that may be joined, and who takes it away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from faultprint.publish.incident import Incident
from faultprint.publish.message import Message, Sender

Encode = Callable[[Incident], tuple[Message, ...]]
"""The messages of an incident's last change."""
Measure = Callable[[pl.DataFrame, int], Iterable[Message]]
"""The messages of the MINUTES rows of one minute, which began at this moment (µs)."""
Join = Callable[[Sequence[Message]], tuple[Message, int]]
"""As many of the first messages as may go as one, and how many those are."""


def alone(messages: Sequence[Message]) -> tuple[Message, int]:
    """Each message goes by itself."""
    return messages[0], 1


@dataclass(frozen=True, slots=True)
class Sink:
    """Somebody to be told: of incidents by `encode`, of minutes by `measure`."""

    name: str
    encode: Encode
    sender: Sender
    join: Join = alone
    measure: Measure | None = None
