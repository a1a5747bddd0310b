"""Live capture: feeds a probe from interfaces and HEP agents, by the arrival clock.

All times are those of this machine, whatever the packets say: kernel timestamps of an interface, and the corrected stamps of
HEP agents. The probe's time goes on with the arrival clock, and never by data alone.
"""

from __future__ import annotations

import json
import select
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.probe.capture.agents.source import HepSource
from faultprint.probe.capture.agents.table import AgentStatus
from faultprint.probe.capture.hearing import Hearing, Speaking
from faultprint.probe.core import Probe
from faultprint.probe.output.parquet import ParquetWriter
from faultprint.probe.output.report import ProbeReport
from faultprint.probe.privacy.key import key_id
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.types import HeardMessage, Packet
from faultprint.tables import COVERAGE_KEY, KEY_ID_KEY, TRANSACTIONS, Interface
from faultprint.units import SECOND_US

SILENCE_US: Final = 180 * SECOND_US
"""An agent that was not heard for so long is silent, if nothing else is set."""
CLOCK_STEP_US: Final = SECOND_US
"""The arrival clock was set back if it goes back by more than this."""
_MAX_WAITING: Final = 262_144


class PacketSource(Speaking, Protocol):
    """A live source of packets. `complete_us`: all packets with a time up to this have been given."""

    complete_us: int

    def fileno(self) -> int:
        """File descriptor for `select`."""

    def read(self, skipped: Counter[str]) -> Sequence[Packet | HeardMessage]:
        """The packets that have arrived, oldest first. Unusable ones are counted in `skipped`."""

    def drain(self, skipped: Counter[str]) -> Sequence[Packet | HeardMessage]:
        """The packets that have arrived and those that the source holds back, at the end."""

    def close(self) -> None:
        """Stop capturing."""


class Listener:
    """Feeds a probe from live sources. `clock`: the arrival clock, µs.

    complete_us  up to this time, all packets were fed
    hearing      which of the `nodes` were heard, and when
    set_back     how often the arrival clock was set back
    """

    def __init__(
        self,
        probe: Probe,
        sources: Sequence[PacketSource],
        nodes: Sequence[str] = (),
        clock: Callable[[], int] | None = None,
        silence_us: int = SILENCE_US,
    ) -> None:
        self._probe, self._sources, self._clock = probe, sources, clock or _machine_clock
        self._nodes, self._silence_us = tuple(nodes), silence_us
        self._waiting: list[Packet | HeardMessage] = []
        self.set_back = 0
        self._now_us: int
        self.complete_us: int
        self.since_us: int
        self.hearing: Hearing
        self._begin(self._clock())

    def listen(self, seconds: float = 0.2) -> None:
        """Wait for packets, at most this long, and feed those whose turn has come."""
        select.select(self._sources, (), (), seconds)
        now_us = self._clock()
        if now_us < self._now_us - CLOCK_STEP_US:
            self._restart(now_us)
        self._now_us = now_us
        packets = [packet for source in self._sources for packet in source.read(self._probe.skipped)]
        complete_us = min((source.complete_us for source in self._sources), default=now_us)
        self._feed(packets, complete_us)
        self.complete_us = max(self.complete_us, min(complete_us, now_us))
        self._probe.advance(self.complete_us)
        self.hearing.update(self._sources, self.complete_us, now_us)

    def drain(self) -> None:
        """Feed all packets that have arrived, at the end."""
        packets = [packet for source in self._sources for packet in source.drain(self._probe.skipped)]
        self._feed_all(sorted([*self._waiting, *packets], key=_time))
        self._waiting.clear()
        self.hearing.update(self._sources, self.complete_us, self._clock())

    def _begin(self, now_us: int) -> None:
        self._now_us = self.complete_us = self.since_us = now_us
        self._probe.start(now_us)
        self.hearing = Hearing(self._nodes, now_us, self._silence_us)

    def _restart(self, now_us: int) -> None:
        """The arrival clock was set back: times before and after that cannot be compared."""
        self._feed_all(self._waiting)
        self._waiting.clear()
        self._probe.interrupt()
        self.set_back += 1
        self._begin(now_us)

    def _feed(self, packets: list[Packet | HeardMessage], complete_us: int) -> None:
        if len(self._sources) > 1:
            self._waiting = sorted([*self._waiting, *packets], key=_time)
            count = bisect_right(self._waiting, complete_us, key=_time)
            if len(self._waiting) - count > _MAX_WAITING:
                count = len(self._waiting) // 2
            packets, self._waiting = self._waiting[:count], self._waiting[count:]
        self._feed_all(packets)

    def _feed_all(self, packets: Iterable[Packet | HeardMessage]) -> None:
        hear, frames = self._probe.hear, []
        for packet in packets:
            if not isinstance(packet, HeardMessage):
                frames.append(packet)
                continue
            if frames:
                self._probe.feed_all(frames)
                frames = []
            hear(packet.time, packet.leg, packet.message)
        self._probe.feed_all(frames)


def agents_of(sources: Sequence[PacketSource]) -> list[AgentStatus]:
    """The HEP agents of the sources."""
    return [status for source in sources if isinstance(source, HepSource) for status in source.agents.statuses()]


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
    clock: Callable[[], int] | None = None,
    silence_us: int = SILENCE_US,
) -> ProbeReport:
    """Capture until `stop` returns true (asked at least five times a second), then write the transactions to `out`.

    Coverage of a node is the time in which it was heard, with or without packets: see `hearing`. `clock`: the arrival clock, µs.
    Closes the sources. Raises UsageError.
    """
    endpoints = watched_endpoints(nodes)
    given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
    with replacing(out) as temporary, temporary.open("wb") as file:
        writer = ParquetWriter(file, TRANSACTIONS.columns)
        probe = Probe(endpoints, network, key, writer.append, given)
        clock = clock or _machine_clock
        heard = []
        try:
            listener = Listener(probe, sources, tuple(endpoints), clock, silence_us)
            while not stop():
                before = listener.set_back
                hearing, now_us = listener.hearing, listener.complete_us
                listener.listen()
                if listener.set_back > before:
                    heard += hearing.intervals(now_us)
            listener.drain()
            agents = [status.as_dict() for status in agents_of(sources)]
        finally:
            for source in sources:
                source.close()
        heard += listener.hearing.intervals(clock())
        probe.finish()
        writer.metadata[KEY_ID_KEY] = key_id(key)
        writer.metadata[COVERAGE_KEY] = json.dumps([[node, network, start, end] for node, start, end in heard])
        writer.close()
    return probe.report(agents=agents)


def _time(packet: Packet | HeardMessage) -> int:
    return packet.time if isinstance(packet, HeardMessage) else packet[0]


def _machine_clock() -> int:
    return time.time_ns() // 1000
