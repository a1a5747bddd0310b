"""A sink: its encoders, its batching and its sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from faultprint.publish.incident import Incident
from faultprint.publish.message import Message, Sender

Encode = Callable[[Incident], tuple[Message, ...]]
"""Encodes the last change of an incident."""
Measure = Callable[[pl.DataFrame, int], Iterable[Message]]
"""Encodes the MINUTES rows of one minute, given with its start (µs)."""
Join = Callable[[Sequence[Message]], tuple[Message, int]]
"""Joins the first messages to one; returns it and the number of messages in it."""


def single(messages: Sequence[Message]) -> tuple[Message, int]:
    """Send each message alone."""
    return messages[0], 1


@dataclass(frozen=True, slots=True)
class Sink:
    """A receiver of messages about incidents (`encode`) and minutes (`measure`)."""

    name: str
    encode: Encode
    sender: Sender
    batch: Join = single
    measure: Measure | None = None
