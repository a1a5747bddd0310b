"""Who may ask for alarms: whoever has the token, or without one whoever is on this machine, but no web page there."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from faultprint.monitor.serve.response import Response
from faultprint.publish.senders.endpoint import is_loopback


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """`token`: must come with every request as `Authorization: Bearer`; empty: requests must be addressed to loopback."""

    token: str = field(default="", repr=False)

    def refuses(self, headers: Mapping[str, str]) -> Response | None:
        """The refusal that a request with these headers gets, if any."""
        if self.token:
            given = headers.get("Authorization", "").encode("latin-1", "replace")
            if hmac.compare_digest(given, f"Bearer {self.token}".encode()):
                return None
            return Response.refusal(
                401, "unauthorized", "Send the token as Authorization: Bearer.", {"WWW-Authenticate": "Bearer"}
            )
        # A page in a browser here could have its own name point to this machine; the browser then says that name.
        if _named(headers.get("Host", "localhost")):
            return None
        return Response.refusal(
            403, "forbidden", "Without a token alarms are served to 127.0.0.1 or localhost by name only."
        )


def _named(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
