"""How the messages that are found in packets are handed on."""

from __future__ import annotations

from collections.abc import Callable

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage

DeliverSip = Callable[[int, bytes, SipMessage], None]
"""Called with the time (µs), the leg (source and destination address, then both ports, as on the wire), the message."""
DeliverDiameter = Callable[[int, bytes, DiameterMessage], None]
"""The same for Diameter."""
