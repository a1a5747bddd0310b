"""The response of the HTTP server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faultprint.publish.tmf642.query import error_body


@dataclass(frozen=True, slots=True)
class Response:
    """Status, body and headers."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON body, in ASCII."""
        return cls(status, json.dumps(value, allow_nan=False).encode("ascii"), "application/json", headers or {})

    @classmethod
    def error(cls, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
        """An Error of TMF642; `message` is one sentence."""
        return cls.json(status, error_body(status, reason, message), headers)
