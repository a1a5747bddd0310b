"""HEP of agents as a live source, over UDP, TCP and TLS.

Messages wait until the arrival clock has gone on by `reorder.HOLD_US`. A pause of the feed does not shorten this. The arrival
of a message is known to lie between the last time that the sockets were empty and now.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from faultprint.errors import UsageError
from faultprint.probe.capture import hep
from faultprint.probe.capture.agents import stream
from faultprint.probe.capture.agents.access import UDP, HepAccess, HepAddress, HepOptions
from faultprint.probe.capture.agents.diameter_json import read_diameter
from faultprint.probe.capture.agents.stream import HepConnection, HepListener
from faultprint.probe.capture.agents.table import AgentTable
from faultprint.probe.capture.reorder import HOLD_US
from faultprint.probe.capture.sockets import DROPPED, bound_socket, total_dropped
from faultprint.probe.decode.decoder import other_datagram
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage, read_datagram
from faultprint.probe.transactions.duplicates import SOURCE_SHIFT
from faultprint.probe.types import HeardMessage
from faultprint.units import SECOND_US

MAX_PACKETS_PER_READ: Final = 4096
"""Packets that are read from one socket before the next one has its turn."""
MAX_BACKLOG_US: Final = 5 * SECOND_US
"""Time goes on, this far behind, when the sockets have not been empty for so long."""
NOT_SIP: Final = "HEP protocol other than SIP and Diameter"
NOT_LISTED: Final = "HEP of an address that is not listed"
WRONG_KEY: Final = "HEP with a wrong authentication key, or none"
NO_ROOM: Final = "HEP of an agent beyond the limit"
UNBELIEVED: Final = "HEP timestamp far from its arrival"

_MAX_DATAGRAM: Final = 65_535


class HepSource:
    """Receives HEP version 3 on one or several addresses."""

    def __init__(
        self,
        addresses: Sequence[HepAddress],
        watched: Mapping[bytes, str] | None = None,
        options: HepOptions | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`watched`: endpoints of the watched nodes → their names. `clock`: the arrival clock, µs. Raises UsageError."""
        options = options or HepOptions()
        self._clock = clock or _machine_clock
        self.agents = AgentTable(watched or {}, options.bound_us, options.silence_us)
        self._access = HepAccess(options)
        self._selector = selectors.DefaultSelector()
        self._datagrams: dict[socket.socket, int] = {}
        """UDP socket → datagrams that the kernel has dropped."""
        self._listeners: list[HepListener] = []
        self._connections: list[HepConnection] = []
        try:
            for address in addresses:
                options.check(address)
                self._open(address, options)
        except BaseException:
            self.close()
            raise
        self.complete_us = self._empty_us = self.alive_us = self._clock()
        self._reading_since_us: int | None = None
        self._unbelieved = 0

    @property
    def ports(self) -> list[int]:
        """The ports that receive HEP."""
        opened = [*self._datagrams, *(listener.socket for listener in self._listeners)]
        return [opened_socket.getsockname()[1] for opened_socket in opened]

    def fileno(self) -> int:
        return self._selector.fileno()

    def read(self, skipped: Counter[str]) -> list[HeardMessage]:
        """The messages that have waited long enough, in order of time by the arrival clock."""
        now_us, emptied = self._clock(), True
        if now_us < self._empty_us:
            self._empty_us = now_us
            self.agents.set_back(now_us)
        for key, _ in self._selector.select(0):
            ready = key.fileobj
            if isinstance(ready, HepListener):
                self._accept(ready, now_us, skipped)
            elif isinstance(ready, HepConnection):
                emptied &= self._read_connection(ready, now_us, skipped)
            else:
                assert isinstance(ready, socket.socket)
                emptied &= self._read_datagrams(ready, now_us, skipped)
        self._end_connections(now_us, skipped)
        self._go_on(now_us, emptied)
        messages = self.agents.take(self._empty_us, now_us)
        self._count_unbelieved(skipped)
        return messages

    def drain(self, skipped: Counter[str]) -> list[HeardMessage]:
        """All messages that have arrived, at the end."""
        messages = self.read(skipped)
        return messages + self.agents.take(self._empty_us, self._clock(), True)

    def speakers(self, node: str) -> list[tuple[int, int]]:
        """When each agent last reported the node, and when it was last heard; µs."""
        return self.agents.speakers(node)

    def close(self) -> None:
        listeners = [listener.socket for listener in self._listeners]
        for opened in (*self._datagrams, *listeners, *(connection.socket for connection in self._connections)):
            opened.close()
        self._selector.close()

    def _open(self, address: HepAddress, options: HepOptions) -> None:
        try:
            if address.transport == UDP:
                family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
                opened = bound_socket(family, place)
                opened.setblocking(False)
                self._datagrams[opened] = 0
                self._selector.register(opened, selectors.EVENT_READ)
            else:
                self._listeners.append(listener := HepListener(address, options))
                self._selector.register(listener, selectors.EVENT_READ)
        except OSError as error:
            raise UsageError(
                f"HEP cannot be received on {address} ({error.strerror}); choose another address."
            ) from None

    def _read_datagrams(self, opened: socket.socket, now_us: int, skipped: Counter[str]) -> bool:
        """Read what waits. Returns whether nothing is left."""
        receive, emptied = opened.recvfrom, False
        for _ in range(MAX_PACKETS_PER_READ):
            try:
                data, address = receive(_MAX_DATAGRAM)
            except OSError:
                emptied = True
                break
            self._message(data, address[0], now_us, skipped)
        total = total_dropped(opened, self._datagrams[opened])
        # The kernel counts with 32 bits.
        if dropped := total - self._datagrams[opened] & 0xFFFFFFFF:
            skipped[DROPPED] += dropped
            self._datagrams[opened] = total
        return emptied

    def _message(self, data: bytes, address: str, now_us: int, skipped: Counter[str]) -> bool:
        """One HEP packet. Returns whether its sender may send."""
        if not self._access.listed(address):
            skipped[NOT_LISTED] += 1
            return False
        try:
            packet = hep.decode(data)
        except hep.HepError as error:
            skipped[error.reason] += 1
            return False
        if not self._access.authentic(packet.key):
            skipped[WRONG_KEY] += 1
            return False
        agent = self.agents.get((address, packet.agent), now_us)
        if agent is None:
            skipped[NO_ROOM] += 1
            return True
        agent.heard_us = self.alive_us = now_us
        message = _read(packet, skipped)
        if message is not None:
            message.origin = agent.number << SOURCE_SHIFT
            heard = HeardMessage(packet.timestamp, packet.leg, message)
            self.agents.receive(agent, heard, self._empty_us, now_us)
        return True

    def _accept(self, listener: HepListener, now_us: int, skipped: Counter[str]) -> None:
        while connection := listener.accept(now_us):
            refusal = None
            if not self._access.listed(connection.address):
                refusal = NOT_LISTED
            elif len(self._connections) >= stream.MAX_CONNECTIONS:
                refusal = stream.TOO_MANY
            if refusal is not None:
                skipped[refusal] += 1
                connection.close()
                continue
            self._connections.append(connection)
            self._selector.register(connection, selectors.EVENT_READ)

    def _read_connection(self, connection: HepConnection, now_us: int, skipped: Counter[str]) -> bool:
        packets, emptied = connection.read(now_us)
        for data in packets:
            if not self._message(data, connection.address, now_us, skipped):
                connection.closed_for = stream.GARBAGE
                return True
        return emptied

    def _end_connections(self, now_us: int, skipped: Counter[str]) -> None:
        for connection in list(self._connections):
            connection.check_pace(now_us)
            if connection.closed_for is not None:
                if connection.closed_for:
                    skipped[connection.closed_for] += 1
                self._selector.unregister(connection)
                self._connections.remove(connection)
                connection.close()

    def _go_on(self, now_us: int, emptied: bool) -> None:
        """Move the time up to which everything that has arrived was read."""
        if emptied:
            self._empty_us, self._reading_since_us = now_us, None
        else:
            if self._reading_since_us is None or self._reading_since_us > now_us:
                self._reading_since_us = now_us
            if now_us - self._reading_since_us > MAX_BACKLOG_US:
                self._empty_us = max(self._empty_us, now_us - MAX_BACKLOG_US)
        self.complete_us = self._empty_us - HOLD_US

    def _count_unbelieved(self, skipped: Counter[str]) -> None:
        total = self.agents.unbelieved
        if total > self._unbelieved:
            skipped[UNBELIEVED] += total - self._unbelieved
            self._unbelieved = total


def _read(packet: hep.HepPacket, skipped: Counter[str]) -> SipMessage | DiameterMessage | None:
    """The message in a packet, or None. Counts what is none."""
    payload = packet.payload
    if packet.protocol == hep.SIP:
        message = read_datagram(payload, 0, len(payload))
        if message is None:
            skipped[other_datagram(payload, 0, len(payload))] += 1
        return message
    if packet.protocol != hep.DIAMETER:
        skipped[NOT_SIP] += 1
        return None
    try:
        return read_diameter(payload)
    except hep.HepError as error:
        skipped[error.reason] += 1
        return None


def _machine_clock() -> int:
    return time.time_ns() // 1000
