"""Many VES events in one message: publishEventBatch of VES 7.2.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.publish.text import to_json

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
