"""Many VES events in one message: publishEventBatch of VES 7.2.1."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final
from uuid import uuid5

from faultprint.errors import UsageError
from faultprint.publish.incident import NAMESPACE
from faultprint.publish.message import Message
from faultprint.publish.text import to_json
from faultprint.publish.ves.event import BATCH_PATH, EVENT_PATH, HEADERS

LARGEST: Final = 1_000_000
"""Bytes of a message: the specification allows two megabytes, recommends one, and will require it."""
_FRAME: Final = len(b'{"eventList":[]}')


def batches(
    events: Iterable[Mapping[str, Any]], *, max_events: int = 500, max_bytes: int = LARGEST
) -> Iterator[dict[str, Any]]:
    """{"eventList": [...]} after {"eventList": [...]}, in the order of `events` (each {"event": {...}}).

    A batch holds events of a single domain, as the specification demands, at most `max_events` of them and `max_bytes`
    bytes of JSON. Raises UsageError for bounds that no event fits, or an event that is larger than `max_bytes`.
    """
    if max_events < 1:
        raise UsageError(f"Batches of {max_events} events cannot be made; give 1 or more.")
    batch: list[Any] = []
    domain, size = "", _FRAME
    for wrapped in events:
        event = wrapped["event"]
        length = len(to_json(event)) + 1  # the comma
        if _FRAME + length > max_bytes:
            raise UsageError(f"An event of {length} bytes does not fit into a batch of {max_bytes}; raise the bound.")
        new = event["commonEventHeader"]["domain"]
        if batch and (new != domain or len(batch) >= max_events or size + length > max_bytes):
            yield {"eventList": batch}
            batch, size = [], _FRAME
        domain, size = new, size + length
        batch.append(event)
    if batch:
        yield {"eventList": batch}


def joined(messages: Sequence[Message]) -> tuple[Message, int]:
    """The first of `messages` as one batch, and how many those are; one that must stand alone is given as it is.

    `messages`, at least one, each hold an event, as `routes` makes them. The same ones make the same id.
    """
    single = takewhile(lambda message: message.path == EVENT_PATH, messages)
    events: list[Any] = []
    with suppress(UsageError):  # one of them is too large for any batch: the receiver is to say so of that one alone
        events = next(batches(json.loads(message.body) for message in single), {"eventList": []})["eventList"]
    if len(events) < 2:
        return messages[0], 1
    identity = uuid5(NAMESPACE, json.dumps([message.id for message in messages[: len(events)]]))
    body = to_json({"eventList": events})
    return Message(str(identity), BATCH_PATH, messages[0].key, body, headers=HEADERS), len(events)
