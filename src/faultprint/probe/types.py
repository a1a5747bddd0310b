"""What the parts of the probe hand to each other: packets, and functions that take messages."""

from __future__ import annotations

from collections.abc import Callable

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage

Packet = tuple[int, int, bytes]
"""Time (µs since 1970, UTC), link layer (a LINKTYPE_ number of tcpdump.org), frame.

A plain tuple, because every packet of a capture makes one.
"""


class HeardMessage:
    """A message that an agent reports, instead of a packet.

    time     µs, by the arrival clock
    leg      as for DeliverSip
    message  the message

    The others belong to the `CausalReorderBuffer` that holds it: the step that the message is, the step that it leads to,
    and whether it was released.
    """

    __slots__ = ("cause", "consequence", "leg", "message", "released", "time")

    def __init__(self, time: int, leg: bytes, message: SipMessage | DiameterMessage) -> None:
        self.time, self.leg, self.message = time, leg, message
        self.cause: int | None = None
        self.consequence: int | None = None
        self.released = False


DeliverSip = Callable[[int, bytes, SipMessage], None]
"""Takes a SIP message: time (µs), leg (source and destination address, then both ports, as on the wire), message."""
DeliverDiameter = Callable[[int, bytes, DiameterMessage], None]
"""Takes a Diameter message: time (µs), leg, message."""
