"""The probe without files: timed frames in, rows of the transactions table out. Captures and live sources feed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from faultprint.probe.clock import MAX_GAP_US, RELATIVE_UNTIL, UNSET, PacketClock
from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.output.report import ProbedNode, ProbeReport
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.diameter import DiameterTracker
from faultprint.probe.transactions.interfaces import PeerInterfaces
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import WatchedNodes, format_endpoint
from faultprint.probe.transactions.sip import SipTracker
from faultprint.probe.transactions.transaction import Row
from faultprint.probe.types import Packet
from faultprint.tables import Interface
from faultprint.units import SECOND_US

_TICK_US: Final = SECOND_US


class Probe:
    """Turns frames, in the order of capture, into transactions. Finished transactions go to `emit`.

    `nodes`: name → endpoints in wire form (`nodes.parse_endpoint`). `peers`: endpoints with a known interface.
    The memory is limited, whatever the network sends. Raises UsageError for a bad key or contradicting nodes.
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
        self._watched = watched
        self._nodes = {name: tuple(map(format_endpoint, endpoints)) for name, endpoints in nodes.items()}
        classifier = MethodClassifier(hasher, PeerInterfaces(watched, peers))
        self.sip = SipTracker(watched, network, hasher, classifier, emit, self.skipped)
        self.diameter = DiameterTracker(watched, network, hasher, emit, self.skipped)
        self.coverage: list[tuple[int, int]] = []
        """Finished coverage intervals: time of the first packet, and 1 µs after the last."""
        self._decoder = Decoder(self.sip.take, self.diameter.take, self.skipped)
        # Counts the messages in packets without a valid time. The other problems of such packets are not counted.
        self._untimed_decoder = Decoder(self.sip.count, self.diameter.count, Counter())
        self._clock = PacketClock(self.skipped, lambda packet: self._untimed_decoder.frame(*packet))
        self._next_tick = UNSET
        self._unchecked_until = UNSET
        """A frame from the clock's time to this needs no check."""

    @property
    def unheard(self) -> tuple[str, ...]:
        """Names of the watched nodes that no message named so far."""
        return tuple(name for name in self._nodes if name not in self._watched.heard)

    @property
    def now(self) -> int | None:
        """Time of the last frame, µs. None before the first."""
        latest = self._clock.latest
        return None if latest == UNSET else latest

    def feed(self, timestamp: int, link: int, data: bytes) -> None:
        """One frame: µs since 1970 (UTC), link layer (LINKTYPE_ number), bytes. Never raises on the content."""
        self.feed_all(((timestamp, link, data),))

    def feed_all(self, packets: Iterable[Packet]) -> None:
        """Many frames, each as for `feed`."""
        clock, frame = self._clock, self._decoder.frame
        now, unchecked_until = clock.now, self._unchecked_until
        for timestamp, link, data in packets:
            if now <= timestamp < unchecked_until:
                now = timestamp
                frame(timestamp, link, data)
            else:
                clock.now = now
                self._feed_checked(timestamp, link, data)
                now, unchecked_until = clock.now, self._unchecked_until
        clock.now = now

    def hear(self, timestamp: int, leg: bytes, message: SipMessage | DiameterMessage) -> None:
        """One message of a live source, whose time (µs) is by the arrival clock: it needs no check. See `DeliverSip`."""
        clock = self._clock
        if timestamp >= self._next_tick:
            self._tick(timestamp)
            self._unchecked_until = UNSET if clock.outliers else self._next_tick
        elif timestamp > clock.now:
            clock.now = timestamp
        if isinstance(message, SipMessage):
            self.sip.take(timestamp, leg, message)
        else:
            self.diameter.take(timestamp, leg, message)

    def _feed_checked(self, timestamp: int, link: int, data: bytes) -> None:
        """A frame that is late, early or due for a tick."""
        clock = self._clock
        if clock.low <= timestamp <= clock.high:
            clock.accept()
            if timestamp >= self._next_tick:
                self._tick(timestamp)
            clock.now = max(timestamp, clock.now)
            self._decoder.frame(timestamp, link, data)
        else:
            for packet in clock.defer((timestamp, link, data)):
                self._feed_deferred(packet)
        # While packets are deferred, every packet needs the check.
        self._unchecked_until = UNSET if clock.outliers else self._next_tick

    def start(self, now: int) -> None:
        """Begin a coverage interval at `now` (µs): the times of the frames are checked already, as those of a live capture."""
        if self._clock.now == UNSET:
            self._tick(now)
            self._unchecked_until = self._next_tick

    def advance(self, now: int) -> None:
        """Run the timers to `now` (µs, by the clock that stamps the frames): no frame has come until then.

        Later frames may have a timestamp a little before `now`. Before the first frame or `start` this does nothing.
        """
        if self._clock.now > UNSET and now >= self._next_tick:
            self._tick(now)
            self._unchecked_until = UNSET if self._clock.outliers else self._next_tick

    def pending(self) -> Iterator[Row]:
        """The rows that are not emitted yet, in their present state: open transactions, and completed ones for which a
        retransmission may still come."""
        for tracker in (self.sip, self.diameter):
            yield from tracker.pending()

    def interrupt(self) -> None:
        """The capture has a gap: emit open transactions as open. The next frame begins a new coverage interval."""
        for packet in self._clock.finish():
            self._feed_deferred(packet)
        self._close()

    def finish(self) -> None:
        """The capture has ended."""
        self.interrupt()

    def report(
        self,
        inferred: Collection[str] = (),
        holes: Sequence[tuple[int, int, str]] = (),
        agents: Sequence[Mapping[str, object]] = (),
    ) -> ProbeReport:
        """The counts so far. `inferred`: names of the nodes whose addresses were inferred; others as in the report."""
        trackers = (self.sip, self.diameter)
        return ProbeReport(
            messages=self.sip.messages,
            diameter_messages=self.diameter.messages,
            transactions=sum(tracker.rows for tracker in trackers),
            retransmissions=sum(tracker.retransmissions for tracker in trackers),
            duplicates=sum(tracker.duplicates for tracker in trackers),
            malformed=dict((self.sip.malformed + self.diameter.malformed).most_common()),
            skipped={reason: count for reason, count in self.skipped.most_common() if count},
            nodes={name: ProbedNode(addresses, name in inferred) for name, addresses in self._nodes.items()},
            open=sum(tracker.open for tracker in trackers),
            timed_out=sum(tracker.timed_out for tracker in trackers),
            coverage=tuple(self.coverage),
            holes=tuple(holes),
            unheard=self.unheard,
            relative_times=any(since < RELATIVE_UNTIL for since, _ in self.coverage),
            agents=tuple(agents),
        )

    def _feed_deferred(self, packet: Packet) -> None:
        """A packet that was deferred and is accepted now."""
        timestamp = packet[0]
        if timestamp < self._clock.low or timestamp - self._clock.now > MAX_GAP_US:
            # The clock was set: times before and after that cannot be compared.
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
        if clock.now != UNSET:
            self._decoder.finish()
            for tracker in (self.sip, self.diameter):
                tracker.tick(clock.now)
                tracker.close()
            self.coverage.append((clock.since, clock.now + 1))
        clock.reset()
        self._next_tick = self._unchecked_until = UNSET
