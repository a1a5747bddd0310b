"""Authentication of alarm requests: a bearer token, or without a token only requests from this machine."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from faultprint.monitor.serve.response import Response
from faultprint.publish.senders.endpoint import is_loopback


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """`token`: required as `Authorization: Bearer` in every request; empty: the request must address a loopback name."""

    token: str = field(default="", repr=False)

    def rejection(self, headers: Mapping[str, str]) -> Response | None:
        """The error response to a request with these headers, or None."""
        if self.token:
            given = headers.get("Authorization", "").encode("latin-1", "replace")
            if hmac.compare_digest(given, f"Bearer {self.token}".encode()):
                return None
            return Response.error(
                401,
                "unauthorized",
                "Send the token in the header Authorization: Bearer.",
                {"WWW-Authenticate": "Bearer"},
            )
        # DNS rebinding: a web page can point its own host name to this machine; the Host header then has that name.
        if _named(headers.get("Host", "localhost")):
            return None
        return Response.error(
            403,
            "forbidden",
            "Without http.token_file alarms are served for http://127.0.0.1 and http://localhost only.",
        )


def _named(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
