"""Messages posted over HTTP or HTTPS: VES listeners, TMF642 callbacks, webhooks.

    answer                          outcome     tried again here?
    2xx                             delivered
    408, 425, 429, 5xx, no answer   later       yes, with back-off (and Retry-After)
    3xx, 401, 403, 404, 405, 407    refused     no: address or credentials are wrong, or a proxy is in the way
    TLS alert, wrong certificate    refused     no
    any other 4xx                   rejected    no: it would be the same again

A redirection is not followed: an alarm goes where it was told to go, or nowhere.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Final

import numpy as np

from faultprint.errors import UsageError
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.endpoint import Endpoint
from faultprint.publish.senders.exchange import Clock, Connection, HttpReply
from faultprint.publish.text import clean

_LATER: Final = frozenset({408, 425, 429})
_REFUSED: Final = frozenset({401, 403, 404, 405, 407})
_SAID: Final = 200
"""Characters of an answer's body that a receipt repeats."""


class HttpSender:
    """Posts messages to one endpoint over a kept connection; one thread at a time.

    `rng` draws the pauses; `sleep` waits for them (a monitor gives its stop event's `wait`); `clock` is monotonic.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        backoff: Backoff,
        rng: np.random.Generator,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._backoff = backoff
        self._rng = rng
        self._sleep = sleep
        self._connection = Connection(endpoint, clock)

    def send(self, message: Message) -> Receipt:
        """Post the message, again where that may help, `backoff.attempts` times at most."""
        attempt = 1
        while True:
            receipt, asked_s = self._attempt(message, attempt)
            if receipt.outcome is not DeliveryOutcome.LATER or attempt >= self._backoff.attempts:
                return receipt
            self._sleep(self._backoff.pause(attempt, self._rng, asked_s))
            attempt += 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _attempt(self, message: Message, attempt: int) -> tuple[Receipt, float | None]:
        headers = {
            "Content-Type": message.content_type,
            "Accept": "application/json",
            "User-Agent": "faultprint",
            "Idempotency-Key": message.id,
            **message.headers,
            **self._endpoint.fixed_headers(),
        }
        try:
            reply = self._connection.post(self._endpoint.target(message.path), message.body, headers)
        except (OSError, HTTPException, UsageError) as error:
            detail = clean(f"{type(error).__name__}: {error}", _SAID)
            return Receipt(_outcome_without_answer(error), attempt, detail=detail), None
        return Receipt(outcome_of(reply.status), attempt, reply.status, _detail(reply)), reply.retry_after_s


def outcome_of(status: int) -> DeliveryOutcome:
    """What a final status code means for a message (table at the top)."""
    if 200 <= status < 300:
        return DeliveryOutcome.DELIVERED
    if status in _LATER or status >= 500:
        return DeliveryOutcome.LATER
    return DeliveryOutcome.REJECTED if 400 <= status < 500 and status not in _REFUSED else DeliveryOutcome.REFUSED


def _outcome_without_answer(error: Exception) -> DeliveryOutcome:
    """Refused where the TLS handshake says so, or our own certificates have become unusable; else later."""
    alert = isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
    refused = alert or isinstance(error, ssl.SSLCertVerificationError | UsageError)
    return DeliveryOutcome.REFUSED if refused else DeliveryOutcome.LATER


def _detail(reply: HttpReply) -> str:
    said = clean(reply.body[: 4 * _SAID].decode("utf-8", "replace"), _SAID)
    return clean(f"{reply.status} {clean(reply.reason, _SAID)}" + (f": {said}" if said else ""))
