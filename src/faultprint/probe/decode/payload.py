"""What a tunnel carries."""

from __future__ import annotations

from typing import Final, NamedTuple

TCP: Final = 6
UDP: Final = 17


class TunnelPayload(NamedTuple):
    """The payload from `at` to `end`: an IP packet (`protocol` None), or the content of this IP protocol."""

    at: int
    end: int
    protocol: int | None = None
