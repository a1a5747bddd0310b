"""Addresses and links of a bed: one link per reference point. All beds use the same addresses in their own namespaces."""

from __future__ import annotations

from typing import Final

REALM: Final = "ims.test"
NODES: Final = ("ue", "pcscf", "icscf", "scscf", "servers")
"""Nodes, each with its own namespace. `servers` has the HSS, PCRF, DNS and application server."""
SWITCH: Final = "switch"
"""The namespace with one bridge per link; link faults are injected there."""

LINKS: Final[dict[str, dict[str, str]]] = {
    "gm": {"ue": "10.10.0.2", "pcscf": "10.10.0.1"},
    "mw": {"pcscf": "10.20.0.1", "icscf": "10.20.0.2", "scscf": "10.20.0.3"},
    "cx": {"icscf": "10.30.0.2", "scscf": "10.30.0.3", "servers": "10.30.0.4"},
    "rx": {"pcscf": "10.40.0.1", "servers": "10.40.0.4"},
    "isc": {"scscf": "10.50.0.3", "servers": "10.50.0.4"},
    "dns": {"pcscf": "10.60.0.1", "icscf": "10.60.0.2", "scscf": "10.60.0.3", "servers": "10.60.0.4"},
}
"""Link → node → IPv4 address; the mask is /24. The interface in a node has the name of the link."""

SUBSCRIBERS: Final = "10.64.0.0/12"
"""Address range of the handsets; all of them are in `ue`."""

ZONE: Final = {
    REALM: LINKS["mw"]["icscf"],
    f"icscf.{REALM}": LINKS["mw"]["icscf"],
    f"scscf.{REALM}": LINKS["mw"]["scscf"],
    f"pcscf.{REALM}": LINKS["mw"]["pcscf"],
    f"hss.{REALM}": LINKS["cx"]["servers"],
    f"pcrf.{REALM}": LINKS["rx"]["servers"],
}
"""The DNS zone: name → address."""


def subscriber(index: int) -> str:
    """Address of a handset: 10.64.0.1 for index 0, and so on."""
    number = (10 << 24 | 64 << 16) + index + 1
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
