"""The probe without files: timed frames in, rows of the transactions table out. A live source feeds it in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from faultprint.probe.clock import NEVER, SECOND, PacketClock
from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.diameter import DiameterTracker
from faultprint.probe.transactions.interfaces import Peers
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import WatchedNodes
from faultprint.probe.transactions.sip import SipTracker
from faultprint.probe.transactions.transaction import Row
from faultprint.probe.types import Packet
from faultprint.tables import Interface

_TICK_US: Final = SECOND


class Probe:
    """Feed it frames in the order of capture; finished transactions go to `emit`.

    `nodes`: name → endpoints in wire form (`nodes.parse_endpoint`). `peers`: endpoints whose interface is known.
    Holds a bounded amount of memory whatever it is fed. Raises UsageError for a bad key or contradicting nodes.
    """

    def __init__(
        self,
        nodes: Mapping[str, Sequence[bytes]],
        network: str,
        key: bytes,
        emit: Callable[[Row], None],
        peers: Mapping[bytes, Interface] | None = None,
    ) -> None:
        watched = WatchedNodes(nodes)
        hasher = Hasher(key)
        self.skipped: Counter[str] = Counter()
        naming = MethodClassifier(hasher, Peers(watched, peers))
        self.sip = SipTracker(watched, network, hasher, naming, emit, self.skipped)
        self.diameter = DiameterTracker(watched, network, hasher, emit, self.skipped)
        self.coverage: list[tuple[int, int]] = []
        """Closed stretches of listening: first packet, just after the last (µs)."""
        self._decoder = Decoder(self.sip.take, self.diameter.take, self.skipped)
        # Messages in packets whose time is not known are messages still; their packets' own troubles are not counted.
        self._census = Decoder(self.sip.count, self.diameter.count, Counter())
        self._clock = PacketClock(self.skipped, lambda packet: self._census.frame(*packet))
        self._next_tick = self._soon = NEVER

    @property
    def now(self) -> int | None:
        """Time of the last frame, µs; None before the first."""
        latest = self._clock.latest
        return None if latest == NEVER else latest

    def feed(self, timestamp: int, link: int, data: bytes) -> None:
        """One frame: µs since 1970 (UTC), link layer (LINKTYPE_ number), bytes. Never raises on their content."""
        self.feed_all(((timestamp, link, data),))

    def feed_all(self, packets: Iterable[Packet]) -> None:
        """Many frames, as `feed` takes them."""
        clock, frame = self._clock, self._decoder.frame
        now, soon = clock.now, self._soon
        for timestamp, link, data in packets:
            if now <= timestamp < soon:
                now = timestamp
                frame(timestamp, link, data)
            else:
                clock.now = now
                self._judge(timestamp, link, data)
                now, soon = clock.now, self._soon
        clock.now = now

    def _judge(self, timestamp: int, link: int, data: bytes) -> None:
        """A frame that is late, or early, or due for a tick."""
        clock = self._clock
        if clock.low <= timestamp <= clock.high:
            clock.accept()
            if timestamp >= self._next_tick:
                self._tick(timestamp)
            clock.now = max(timestamp, clock.now)
            self._decoder.frame(timestamp, link, data)
        else:
            for packet in clock.defer((timestamp, link, data)):
                self._take_late(packet)
        # While strays wait, every packet has to be judged.
        self._soon = NEVER if clock.outliers else self._next_tick

    def advance(self, now: int) -> None:
        """Nobody has sent anything up to `now` (µs, by the clock that stamps the frames): let the timers run until then.

        Frames that come later may be stamped a little before it, as any may be late. Before the first frame nothing
        happens.
        """
        if self._clock.now > NEVER and now >= self._next_tick:
            self._tick(now)
            self._soon = NEVER if self._clock.outliers else self._next_tick

    def pending(self) -> Iterator[Row]:
        """The rows that have been given out to nobody yet, as they stand: open ones, and those that a retransmission may
        still belong to."""
        for ledger in (self.sip, self.diameter):
            yield from ledger.pending()

    def interrupt(self) -> None:
        """Nobody listened for a while: what is open stays open, and a new stretch begins with the next frame."""
        for packet in self._clock.finish():
            self._take_late(packet)
        self._close()

    def finish(self) -> None:
        """The listening has ended."""
        self.interrupt()

    def _take_late(self, packet: Packet) -> None:
        """A packet that was doubted first."""
        timestamp = packet[0]
        if timestamp < self._clock.low:
            # The clock was put back for good: times before and after cannot be compared.
            self._close()
        if timestamp > self._clock.now:
            self._tick(timestamp)
        self._decoder.frame(*packet)

    def _tick(self, now: int) -> None:
        self._clock.set(now)
        self._decoder.expire(now)
        self.sip.tick(now)
        self.diameter.tick(now)
        self._next_tick = now + _TICK_US

    def _close(self) -> None:
        clock = self._clock
        if clock.now != NEVER:
            self._decoder.finish()
            for ledger in (self.sip, self.diameter):
                ledger.tick(clock.now)
                ledger.close()
            self.coverage.append((clock.since, clock.now + 1))
        clock.stop()
        self._next_tick = self._soon = NEVER
