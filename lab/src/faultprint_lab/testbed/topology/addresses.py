"""The plan of addresses: one link a reference point. Every bed uses the same one, each inside its own namespaces."""

from __future__ import annotations

from typing import Final

REALM: Final = "ims.test"
NODES: Final = ("ue", "pcscf", "icscf", "scscf", "servers")
"""Nodes with a namespace of their own; `servers` plays HSS, PCRF, DNS and application server."""
SWITCH: Final = "switch"
"""The namespace that holds the bridges, one a link; faults of links are injected there."""

LINKS: Final[dict[str, dict[str, str]]] = {
    "gm": {"ue": "10.10.0.2", "pcscf": "10.10.0.1"},
    "mw": {"pcscf": "10.20.0.1", "icscf": "10.20.0.2", "scscf": "10.20.0.3"},
    "cx": {"icscf": "10.30.0.2", "scscf": "10.30.0.3", "servers": "10.30.0.4"},
    "rx": {"pcscf": "10.40.0.1", "servers": "10.40.0.4"},
    "isc": {"scscf": "10.50.0.3", "servers": "10.50.0.4"},
    "dns": {"pcscf": "10.60.0.1", "icscf": "10.60.0.2", "scscf": "10.60.0.3", "servers": "10.60.0.4"},
}
"""Link → node → IPv4 address; the mask is /24. The interface inside a node has the link's name."""

SUBSCRIBERS: Final = "10.64.0.0/12"
"""Where the handsets' own addresses come from; all of them live in `ue`."""

ZONE: Final = {
    REALM: LINKS["mw"]["icscf"],
    f"icscf.{REALM}": LINKS["mw"]["icscf"],
    f"scscf.{REALM}": LINKS["mw"]["scscf"],
    f"pcscf.{REALM}": LINKS["mw"]["pcscf"],
    f"hss.{REALM}": LINKS["cx"]["servers"],
    f"pcrf.{REALM}": LINKS["rx"]["servers"],
}
"""What the DNS knows."""


def subscriber(index: int) -> str:
    """Address of one handset, from 10.64.0.1 on."""
    number = (10 << 24 | 64 << 16) + index + 1
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
