"""Live sources: a Linux interface (AF_PACKET, packet(7)) or the HEP feed of an agent.

Packets go straight into the probe and are not stored. The probe reads a socket until it is empty before it does anything
else. The socket has a large buffer for bursts that arrive while the probe writes transactions.
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
from typing import Any, Final, Protocol, Self

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.probe.capture import hep
from faultprint.probe.capture.reorder import CausalReorderBuffer
from faultprint.probe.core import Probe
from faultprint.probe.decode.link import ETHERNET
from faultprint.probe.output.parquet import ParquetWriter
from faultprint.probe.output.report import ProbeReport
from faultprint.probe.privacy.key import key_id
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.types import Packet
from faultprint.tables import COVERAGE_KEY, KEY_ID_KEY, TRANSACTIONS, Interface
from faultprint.units import SECOND_US

RECEIVE_BUFFER: Final = 64 << 20
"""Bytes."""
MAX_PACKETS_PER_READ: Final = 4096
"""Packets that are read from one source before the next source has its turn."""
IDLE_S: Final = 1.0
"""After this long without packets, the timers run on. They stay this far behind, because a packet may be on its way."""
DROPPED: Final = "packets dropped by the kernel"
NOT_HEP: Final = "datagram is not HEP version 3"
NOT_SIP: Final = "HEP protocol other than SIP"

_ALL_PROTOCOLS: Final = 3
_OUTGOING: Final = 4
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("@9I")
"""The last number counts the datagrams that the kernel has dropped since the socket was opened (SK_MEMINFO_DROPS,
sock_diag(7))."""
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_LOOPBACK: Final = 772
_LINKS: Final = {1: ETHERNET, _LOOPBACK: ETHERNET, 65_534: hep.RAW_IP}
"""ARPHRD_ number of the hardware → LINKTYPE_ number of its frames: Ethernet, loopback, tunnels without a header."""
_TIMESPEC: Final = struct.Struct("@qq")
_MAX_FRAME: Final = 262_144
_MAX_DATAGRAM: Final = 65_535


class PacketSource(Protocol):
    """A live source of packets."""

    def fileno(self) -> int:
        """File descriptor for `select`."""

    def read(self, skipped: Counter[str]) -> list[Packet]:
        """The packets that have arrived, oldest first. Unusable ones are counted in `skipped`."""

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        """The packets that have arrived and those that the source holds back. For idle times and the end."""

    def close(self) -> None:
        """Stop capturing."""


class InterfaceSource:
    """All frames of an interface, in both directions, with timestamps of the kernel. Needs CAP_NET_RAW."""

    def __init__(self, name: str) -> None:
        """Raises UsageError."""
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        except (AttributeError, PermissionError) as error:
            raise UsageError(
                f"Interface {name} cannot be captured ({error}); this needs Linux and the capability CAP_NET_RAW."
            ) from None
        try:
            _enlarge_buffer(self._socket)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._socket.bind((name, 0))
        except OSError as error:
            self._socket.close()
            raise UsageError(f"There is no interface {name!r} ({error.strerror}); see `ip link`.") from None
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        packets: list[Packet] = []
        for _ in range(MAX_PACKETS_PER_READ):
            try:
                data, ancillary, _, (_, _, direction, hardware, _) = self._socket.recvmsg(_MAX_FRAME, 64)
            except OSError:
                break
            # The kernel shows each frame of the loopback interface twice: once outgoing, once incoming.
            if hardware == _LOOPBACK and direction == _OUTGOING:
                continue
            packets.append((_timestamp(ancillary), _LINKS.get(hardware, ETHERNET), data))
        if dropped := struct.unpack("@II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]:
            skipped[DROPPED] += dropped
        return packets

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        return self.read(skipped)

    def close(self) -> None:
        self._socket.close()


class HepSource:
    """A UDP socket that receives HEP version 3."""

    def __init__(self, host: str, port: int) -> None:
        """Raises UsageError."""
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = _bound_socket(family, address)
        except OSError as error:
            raise UsageError(
                f"HEP cannot be received on {host}:{port} ({error.strerror}); choose another address."
            ) from None
        self._socket.setblocking(False)
        self._reorder = CausalReorderBuffer()
        self._dropped = 0

    @classmethod
    def from_address(cls, address: str) -> Self:
        """The source at HOST:PORT. Raises UsageError."""
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise UsageError(f"{address!r} is no HOST:PORT for HEP; write it like 127.0.0.1:9060.")
        return cls(host.strip("[]"), int(port))

    @property
    def port(self) -> int:
        """The UDP port that receives HEP."""
        port: int = self._socket.getsockname()[1]
        return port

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        for _ in range(MAX_PACKETS_PER_READ):
            try:
                data = self._socket.recv(_MAX_DATAGRAM)
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
        total = self._total_dropped()
        # The kernel counts with 32 bits.
        if dropped := total - self._dropped & 0xFFFFFFFF:
            skipped[DROPPED] += dropped
            self._dropped = total
        return [packet.frame() for packet in self._reorder.take()]

    def _total_dropped(self) -> int:
        """The kernel's count of dropped datagrams. Systems other than Linux do not tell it: the last known count."""
        try:
            total: int = _MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1]
        except (OSError, struct.error):
            return self._dropped
        return total

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        return [*self.read(skipped), *(packet.frame() for packet in self._reorder.take(everything=True))]

    def close(self) -> None:
        self._socket.close()


class Listener:
    """Feeds a probe from live sources. `clock` (s) measures idle times."""

    def __init__(
        self, probe: Probe, sources: Sequence[PacketSource], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe, self._sources, self._clock = probe, sources, clock
        self._last_packet_s = clock()
        self._latest: int | None = None

    def listen(self, seconds: float = 0.2) -> None:
        """Wait for packets, at most this long, and feed them. In an idle time, run the timers of the probe."""
        probe, clock = self._probe, self._clock
        ready, _, _ = select.select(self._sources, (), (), seconds)
        packets = [packet for source in ready for packet in source.read(probe.skipped)]
        if not packets and clock() - self._last_packet_s >= IDLE_S:
            packets = [packet for source in self._sources for packet in source.drain(probe.skipped)]
        if packets:
            self._feed(packets)
            self._last_packet_s, self._latest = clock(), probe.now
        elif self._latest is not None:
            # By the clock that stamps the packets. It may differ from the clock of this machine.
            probe.advance(self._latest + int((clock() - self._last_packet_s - IDLE_S) * SECOND_US))

    def drain(self) -> None:
        """Feed all packets that have arrived, at the end."""
        self._feed([packet for source in self._sources for packet in source.drain(self._probe.skipped)])

    def _feed(self, packets: list[Packet]) -> None:
        packets.sort(key=_time)
        self._probe.feed_all(packets)


def watched_endpoints(nodes: Sequence[NodeSpec]) -> dict[str, tuple[bytes, ...]]:
    """Node → endpoints. A live probe has no capture to infer them from, so they must be given. Raises UsageError."""
    for spec in nodes:
        if not spec.addresses:
            raise UsageError(
                f"Node {spec.name} has no address; for a live probe write --node {spec.name}=ADDRESS[,ADDRESS]."
            )
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
    """Capture until `stop` returns true (asked at least five times a second), then write the transactions to `out`.

    Coverage is the whole time of capturing, with or without packets. `clock` (s) measures idle times. Closes the sources.
    Raises UsageError.
    """
    endpoints = watched_endpoints(nodes)
    given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
    with replacing(out) as temporary, temporary.open("wb") as file:
        writer = ParquetWriter(file, TRANSACTIONS.columns)
        probe = Probe(endpoints, network, key, writer.append, given)
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
        writer.metadata[KEY_ID_KEY] = key_id(key)
        writer.metadata[COVERAGE_KEY] = json.dumps([[name, network, since, until] for name in endpoints])
        writer.close()
    return probe.report()


def _time(packet: Packet) -> int:
    return packet[0]


def _timestamp(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """The kernel's time of arrival, or the present time if it gave none; µs."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            return int(seconds * SECOND_US + nanoseconds // 1000)
    return time.time_ns() // 1000


def _bound_socket(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A UDP socket with a large buffer at this address. Raises OSError."""
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    try:
        _enlarge_buffer(receiver)
        receiver.bind(address)
    except OSError:
        receiver.close()
        raise
    return receiver


def _enlarge_buffer(receiver: socket.socket) -> None:
    """Ask for a large buffer: beyond the limit of the system if this process may, else up to the limit."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
