"""A sender that posts messages over HTTP or HTTPS: for VES listeners, TMF642 callbacks and webhooks.

    response                          outcome     retried by this sender?
    2xx                               delivered
    408, 425, 429, 5xx, no response   retry       yes, with back-off and Retry-After
    3xx, 401, 403, 404, 405, 407      refused     no: address or credentials are wrong, or a proxy intercepts
    TLS alert, wrong certificate      refused     no
    any other 4xx                     rejected    no: the result would be the same

A redirection is not followed: an alarm is only sent to the configured address.
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
from faultprint.publish.senders.http_connection import HttpConnection, HttpResponse, MonotonicClock
from faultprint.publish.text import clean

_RETRY_STATUSES: Final = frozenset({408, 425, 429})
_REFUSED_STATUSES: Final = frozenset({401, 403, 404, 405, 407})
_MAX_DETAIL: Final = 200
"""Number of characters of the response that a receipt repeats."""


class HttpSender:
    """Posts messages to one endpoint over a persistent connection. One thread at a time.

    `rng` draws the pauses, `sleep` waits (a monitor passes `wait` of its stop event), `clock` is monotonic.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        backoff: Backoff,
        rng: np.random.Generator,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: MonotonicClock = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._backoff = backoff
        self._rng = rng
        self._sleep = sleep
        self._connection = HttpConnection(endpoint, clock)

    def send(self, message: Message) -> Receipt:
        """Post the message, with at most `backoff.attempts` attempts."""
        attempt = 1
        while True:
            receipt, retry_after_s = self._attempt(message, attempt)
            if receipt.outcome is not DeliveryOutcome.RETRY or attempt >= self._backoff.attempts:
                return receipt
            self._sleep(self._backoff.pause(attempt, self._rng, retry_after_s))
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
            response = self._connection.post(self._endpoint.request_target(message.path), message.body, headers)
        except (OSError, HTTPException, UsageError) as error:
            detail = clean(f"{type(error).__name__}: {error}", _MAX_DETAIL)
            return Receipt(_outcome_without_response(error), attempt, detail=detail), None
        return Receipt(outcome_of(response.status), attempt, response.status, _detail(response)), response.retry_after_s


def outcome_of(status: int) -> DeliveryOutcome:
    """The outcome for a final status code (table at the top)."""
    if 200 <= status < 300:
        return DeliveryOutcome.DELIVERED
    if status in _RETRY_STATUSES or status >= 500:
        return DeliveryOutcome.RETRY
    return (
        DeliveryOutcome.REJECTED if 400 <= status < 500 and status not in _REFUSED_STATUSES else DeliveryOutcome.REFUSED
    )


def _outcome_without_response(error: Exception) -> DeliveryOutcome:
    """Refused after a TLS alert, or if our own certificates have become unusable; otherwise retry."""
    alert = isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
    refused = alert or isinstance(error, ssl.SSLCertVerificationError | UsageError)
    return DeliveryOutcome.REFUSED if refused else DeliveryOutcome.RETRY


def _detail(response: HttpResponse) -> str:
    body = clean(response.body[: 4 * _MAX_DETAIL].decode("utf-8", "replace"), _MAX_DETAIL)
    return clean(f"{response.status} {clean(response.reason, _MAX_DETAIL)}" + (f": {body}" if body else ""))
