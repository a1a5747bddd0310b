"""Live sources: a Linux interface (AF_PACKET, packet(7)) or an agent's HEP feed, heard until told to stop.

Packets go straight into the probe and are kept nowhere. A socket is read until it is empty each time, before anything
else is done, and has a large buffer: what a burst brings while transactions are being written waits there.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.probe.capture import hep
from faultprint.probe.capture.reorder import CausalReorderBuffer
from faultprint.probe.capture.run import report_of
from faultprint.probe.clock import SECOND
from faultprint.probe.core import Probe
from faultprint.probe.decode.link import ETHERNET
from faultprint.probe.output.parquet import ParquetWriter
from faultprint.probe.output.report import ProbeReport
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.types import Packet
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS, Interface

BUFFER: Final = 64 << 20
AT_ONCE: Final = 4096
"""Packets taken from one source before the next is asked."""
SILENCE_S: Final = 1.0
"""When nothing has come for so long, time goes on without packets, this much behind: one may be on its way."""
DROPPED: Final = "packet lost in the kernel's buffer"
NOT_HEP: Final = "datagram that is not HEP"
NOT_SIP: Final = "HEP of another protocol than SIP"

_ALL_PROTOCOLS: Final = 3
_OUTGOING: Final = 4
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("@9I")
"""The last is the number of datagrams that found no room (SK_MEMINFO_DROPS, sock_diag(7)), since the socket was made."""
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_LINKS: Final = {1: ETHERNET, 772: ETHERNET, 65_534: hep.RAW_IP}
"""ARPHRD_ number of the hardware → LINKTYPE_ number of its frames: Ethernet, loopback, and tunnels without a header."""
_LOOPBACK: Final = 772
_TIMESPEC: Final = struct.Struct("@qq")
_MAX_FRAME: Final = 262_144


class PacketSource(Protocol):
    """Something that packets come from."""

    def fileno(self) -> int:
        """For select."""

    def read(self, skipped: Counter[str]) -> list[Packet]:
        """What has arrived, oldest first; what is of no use is counted."""

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        """What has arrived and what was held back; called in a silence, and at the end."""

    def close(self) -> None:
        """Stop listening."""


class InterfaceSource:
    """Every frame on an interface, in both directions, with the kernel's time stamps. Needs CAP_NET_RAW."""

    def __init__(self, name: str) -> None:
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        except (AttributeError, PermissionError) as error:
            raise UsageError(
                f"Interface {name} cannot be heard ({error}); this needs Linux and the right CAP_NET_RAW."
            ) from None
        _enlarge(self._socket)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            self._socket.bind((name, 0))
        except OSError as error:
            self._socket.close()
            raise UsageError(f"There is no interface {name!r} to hear ({error.strerror}); see `ip link`.") from None
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        packets: list[Packet] = []
        for _ in range(AT_ONCE):
            try:
                data, ancillary, _, (_, _, direction, hardware, _) = self._socket.recvmsg(_MAX_FRAME, 64)
            except OSError:
                break
            # The kernel shows what crosses the loopback interface twice: on its way out and on its way in.
            if hardware == _LOOPBACK and direction == _OUTGOING:
                continue
            packets.append((_stamp(ancillary), _LINKS.get(hardware, ETHERNET), data))
        if lost := struct.unpack("@II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]:
            skipped[DROPPED] += lost
        return packets

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        return self.read(skipped)

    def close(self) -> None:
        self._socket.close()


class HepSource:
    """A UDP socket that HEP version 3 is sent to."""

    def __init__(self, host: str, port: int) -> None:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            _enlarge(self._socket)
            self._socket.bind(address)
        except OSError as error:
            raise UsageError(
                f"HEP cannot be heard on {host}:{port} ({error.strerror}); choose another address."
            ) from None
        self._socket.setblocking(False)
        self._reorder = CausalReorderBuffer()
        self._lost = 0

    @classmethod
    def from_address(cls, address: str) -> Self:
        """The source at HOST:PORT. Raises UsageError."""
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise UsageError(f"{address!r} is no HOST:PORT to hear HEP on; write it like 127.0.0.1:9060.")
        return cls(host.strip("[]"), int(port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        for _ in range(AT_ONCE):
            try:
                data = self._socket.recv(65_535)
            except OSError:
                break
            try:
                packet = hep.decode(data)
            except hep.HepError:
                skipped[NOT_HEP] += 1
                continue
            if packet.protocol == hep.SIP:
                self._reorder.put(packet)
            else:
                skipped[NOT_SIP] += 1
        if lost := (dropped := self._dropped()) - self._lost & 0xFFFFFFFF:
            skipped[DROPPED] += lost
            self._lost = dropped
        return [packet.frame() for packet in self._reorder.take()]

    def _dropped(self) -> int:
        """By the kernel's count of 32 bits; as many as before where it does not tell (elsewhere than on Linux)."""
        try:
            told: int = _MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1]
        except (OSError, struct.error):
            return self._lost
        return told

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        return [*self.read(skipped), *(packet.frame() for packet in self._reorder.take(everything=True))]

    def close(self) -> None:
        self._socket.close()


class Listener:
    """Feeds a probe from sources; `clock` (s) measures silences."""

    def __init__(
        self, probe: Probe, sources: Sequence[PacketSource], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe, self._sources, self._clock = probe, sources, clock
        self._heard = clock()
        self._latest: int | None = None

    def listen(self, seconds: float = 0.2) -> None:
        """Wait for packets, so long at most, and feed what has come; in a silence let the probe's time go on."""
        probe, clock = self._probe, self._clock
        ready, _, _ = select.select(self._sources, (), (), seconds)
        packets = [packet for source in ready for packet in source.read(probe.skipped)]
        if not packets and clock() - self._heard >= SILENCE_S:
            packets = [packet for source in self._sources for packet in source.drain(probe.skipped)]
        if packets:
            self._feed(packets)
            self._heard, self._latest = clock(), probe.now
        elif self._latest is not None:
            # By the clock that stamps the packets, which need not be this machine's.
            probe.advance(self._latest + int((clock() - self._heard - SILENCE_S) * SECOND))

    def drain(self) -> None:
        """Feed all that has come: the listening ends."""
        self._feed([packet for source in self._sources for packet in source.drain(self._probe.skipped)])

    def _feed(self, packets: list[Packet]) -> None:
        packets.sort(key=_time)
        self._probe.feed_all(packets)


def watched_endpoints(nodes: Sequence[NodeSpec]) -> dict[str, tuple[bytes, ...]]:
    """Node → endpoints, which must be known: nothing has been captured yet that they could be inferred from.

    Raises UsageError.
    """
    for spec in nodes:
        if not spec.addresses:
            raise UsageError(f"Node {spec.name} has no address; live, write --node {spec.name}=ADDRESS[,ADDRESS].")
    return {spec.name: tuple(map(parse_endpoint, spec.addresses)) for spec in nodes}


def probe_live(
    sources: Sequence[PacketSource],
    out: Path,
    *,
    nodes: Sequence[NodeSpec],
    network: str,
    key: bytes,
    stop: Callable[[], bool],
    peers: Mapping[str, Interface] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ProbeReport:
    """Listen until `stop` says so (asked at least five times a second), then write the transactions to `out`.

    Coverage is the time from the first moment of listening to the last, whether or not anything was heard. `clock` (s)
    measures silences. Raises UsageError.
    """
    found = watched_endpoints(nodes)
    given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
    with replacing(out) as temporary, temporary.open("wb") as file:
        writer = ParquetWriter(file, TRANSACTIONS.columns)
        probe = Probe(found, network, key, writer.append, given)
        since = time.time_ns() // 1000
        try:
            listener = Listener(probe, sources, clock)
            while not stop():
                listener.listen()
            listener.drain()
        finally:
            for source in sources:
                source.close()
        until = time.time_ns() // 1000
        probe.finish()
        writer.metadata[COVERAGE_KEY] = json.dumps([[name, network, since, until] for name in found])
        writer.close()
    return report_of(probe, {name: (ends, False) for name, ends in found.items()})


def _time(packet: Packet) -> int:
    return packet[0]


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """The kernel's time of arrival, µs; now where it gave none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            return int(seconds * SECOND + nanoseconds // 1000)
    return time.time_ns() // 1000


def _enlarge(listener: socket.socket) -> None:
    """A large buffer: beyond the system's limit where the process may, up to it elsewhere."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
    except OSError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
