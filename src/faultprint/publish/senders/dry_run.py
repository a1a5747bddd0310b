"""A sender that prints messages instead of sending them."""

from __future__ import annotations

import json
from typing import TextIO

from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.text import MAX_LINE, clean


class DryRunSender:
    """Prints each message to a stream: address, headers and body, with indented JSON. Sends nothing."""

    def __init__(self, receiver: str, stream: TextIO) -> None:
        """`receiver`: the address or file of the real sender."""
        self._receiver = clean(receiver, MAX_LINE)
        self._stream = stream

    def send(self, message: Message) -> Receipt:
        """Print the message. The outcome is `delivered`, so that a dry run goes through the same states as a real run."""
        headers = "".join(f"{clean(name)}: {clean(value)}\n" for name, value in message.headers.items())
        head = f"would send {message.id} to {self._receiver}{message.path}\nContent-Type: {message.content_type}\n"
        self._stream.write(f"{head}{headers}{_format_body(message.body)}\n\n")
        self._stream.flush()
        return Receipt(DeliveryOutcome.DELIVERED, detail="dry run: nothing was sent")

    def close(self) -> None:
        """Nothing is open."""


def _format_body(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return clean(body.decode("utf-8", "replace"))
