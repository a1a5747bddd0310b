"""Authentication of requests: a bearer token. Without one, alarms can be read on this machine, and nothing can be changed."""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from faultprint.monitor.config.secret import NEW_TOKEN
from faultprint.monitor.serve.attempts import TokenAttempts
from faultprint.monitor.serve.response import Response
from faultprint.publish.senders.endpoint import is_loopback


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """`token`: required as `Authorization: Bearer` in every request; empty: requests must address a loopback name and only read."""

    token: str = field(default="", repr=False)
    attempts: TokenAttempts = field(default_factory=TokenAttempts, repr=False, compare=False)

    def rejection(self, headers: Mapping[str, str], client: str = "", *, changes: bool = False) -> Response | None:
        """The error response to a request of a client with these headers, or None. `changes`: it is more than a question."""
        if self.token:
            return self._token_rejection(headers, client)
        if changes:
            return Response.error(
                403, "forbidden", f"Changes need a token: set http.token_file; {NEW_TOKEN} makes a token."
            )
        # DNS rebinding: a web page can point its own host name to this machine; the Host header then has that name.
        if _named(headers.get("host", "localhost")):
            return None
        return Response.error(
            403,
            "forbidden",
            "Without http.token_file alarms are served for http://127.0.0.1 and http://localhost only.",
        )

    def _token_rejection(self, headers: Mapping[str, str], client: str) -> Response | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if pause_s := self.attempts.pause_s(client):
                return Response.error(
                    429,
                    "too many requests",
                    "Too many wrong tokens came from this address; try again later.",
                    {"Retry-After": str(math.ceil(pause_s))},
                )
            if hmac.compare_digest(given.strip().encode("latin-1", "replace"), self.token.encode()):
                self.attempts.succeeded(client)
                return None
            self.attempts.failed(client)
        return Response.error(
            401,
            "unauthorized",
            "Send the token in the header Authorization: Bearer.",
            {"WWW-Authenticate": "Bearer"},
        )


def _named(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
