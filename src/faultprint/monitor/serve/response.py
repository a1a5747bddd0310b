"""An answer of the monitor's own HTTP server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faultprint.publish.tmf642.query import error


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
        """JSON, in ASCII."""
        return cls(status, json.dumps(value, allow_nan=False).encode("ascii"), "application/json", headers or {})

    @classmethod
    def refusal(cls, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
        """TMF642's Error: `message` is one sentence."""
        return cls.json(status, error(status, reason, message), headers)
