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

MAX_MESSAGE_BYTES: Final = 1_000_000
"""Maximum size of a message. The specification allows 2 MB, recommends 1 MB, and plans to require it."""
_ENVELOPE_BYTES: Final = len(b'{"eventList":[]}')


def batches(
    events: Iterable[Mapping[str, Any]], *, max_events: int = 500, max_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[dict[str, Any]]:
    """Batches {"eventList": [...]} of `events` (each {"event": {...}}), in the same order.

    A batch holds events of one domain, as the specification requires: at most `max_events`, and at most `max_bytes` bytes of JSON.
    Raises UsageError for limits below one event, or for an event that is larger than `max_bytes`.
    """
    if max_events < 1:
        raise UsageError(f"Batches of {max_events} events are not possible; give 1 or more.")
    batch: list[Any] = []
    domain, size = "", _ENVELOPE_BYTES
    for document in events:
        event = document["event"]
        length = len(to_json(event)) + 1  # the comma
        if _ENVELOPE_BYTES + length > max_bytes:
            raise UsageError(f"An event of {length} bytes does not fit into a batch of {max_bytes}; raise the limit.")
        new_domain = event["commonEventHeader"]["domain"]
        if batch and (new_domain != domain or len(batch) >= max_events or size + length > max_bytes):
            yield {"eventList": batch}
            batch, size = [], _ENVELOPE_BYTES
        domain, size = new_domain, size + length
        batch.append(event)
    if batch:
        yield {"eventList": batch}


def join_batch(messages: Sequence[Message]) -> tuple[Message, int]:
    """The first of `messages` as one batch, and how many messages that are. A message that fits no batch is returned unchanged.

    `messages`: at least one; each body is a single event, as in `routes`. The same messages give the same id.
    """
    single = takewhile(lambda message: message.path == EVENT_PATH, messages)
    events: list[Any] = []
    with suppress(
        UsageError
    ):  # one is too large for any batch: send it alone, so that the receiver refuses only that one
        events = next(batches(json.loads(message.body) for message in single), {"eventList": []})["eventList"]
    if len(events) < 2:
        return messages[0], 1
    identity = uuid5(NAMESPACE, json.dumps([message.id for message in messages[: len(events)]]))
    body = to_json({"eventList": events})
    return Message(str(identity), BATCH_PATH, messages[0].key, body, headers=HEADERS), len(events)
