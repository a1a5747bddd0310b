"""What a capture holds: who talks to whom, how much, from when to when, and what cannot be read.

It decodes as the probe does, without transactions. All tables are bounded: hosts beyond the bound count in the totals only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from faultprint.probe.capture.ordering import HoleFinder, HoleKind, ordered_blocks
from faultprint.probe.capture.run import captured_groups
from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.transactions.inference import NodeInference
from faultprint.probe.transactions.nodes import WatchedNodes, format_endpoint, split_leg
from faultprint.progress import Progress

MAX_PAIRS: Final = 20_000
MAX_METHODS: Final = 64
_SHOWN: Final = 10
_MIN_SHARE: Final = 0.5
"""A host with this share of the peers of the busiest server is a server of the same kind."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two hosts, and the messages between them."""

    first: str
    second: str
    messages: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Server:
    """A host that serves others: it receives their requests.

    peers      hosts that sent it requests
    received   requests that it received
    sent       requests that it sent on
    """

    address: str
    peers: int
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What captures hold.

    packets         frames
    begin_us        time of the first frame, µs since 1970
    end_us          time of the last frame
    links           frames by LINKTYPE_ number
    messages        SIP and Diameter messages by protocol
    methods         SIP requests by method
    conversations   pairs of hosts with most messages, busiest first
    servers         hosts that received requests, those with most peers first
    nodes           the addresses to watch; none if there is no request
    skipped         what is not used, by reason
    holes           times without any packet, too long to be chance: begin and end, µs
    """

    packets: int
    begin_us: int
    end_us: int
    links: dict[int, int]
    messages: dict[str, int]
    methods: dict[str, int]
    conversations: tuple[Conversation, ...]
    servers: tuple[Server, ...]
    nodes: tuple[str, ...]
    skipped: dict[str, int]
    holes: tuple[tuple[int, int], ...] = field(default=())

    def as_dict(self) -> dict[str, object]:
        """The inspection for JSON."""
        return asdict(self)


class _Census:
    """Counts the messages of all hosts. A Decoder can deliver to `sip` and `diameter`."""

    def __init__(self) -> None:
        self.inference = NodeInference(WatchedNodes({}), unbounded=True)
        self.messages: Counter[str] = Counter()
        self.methods: Counter[str] = Counter()
        self.pairs: Counter[tuple[bytes, bytes, str]] = Counter()

    def sip(self, timestamp: int, leg_key: bytes, message: SipMessage) -> None:
        self._count(leg_key, "SIP")
        if message.method and (len(self.methods) < MAX_METHODS or message.method.decode() in self.methods):
            self.methods[message.method.decode()] += 1
        self.inference.sip(timestamp, leg_key, message)

    def diameter(self, timestamp: int, leg_key: bytes, message: DiameterMessage) -> None:
        self._count(leg_key, "Diameter")
        self.inference.diameter(timestamp, leg_key, message)

    def _count(self, leg_key: bytes, protocol: str) -> None:
        self.messages[protocol] += 1
        source, target = split_leg(leg_key)
        key = (min(source[:-2], target[:-2]), max(source[:-2], target[:-2]), protocol)
        if len(self.pairs) < MAX_PAIRS or key in self.pairs:
            self.pairs[key] += 1


def inspect_captures(captures: Sequence[Path], progress: Progress | None = None) -> Inspection:
    """Read the captures (several are merged by time) and count what they hold.

    Raises CaptureError for a file that is no whole capture, UsageError without a capture.
    """
    census, skipped, links = _Census(), Counter[str](), Counter[int]()
    decoder = Decoder(census.sip, census.diameter, skipped)
    finder = HoleFinder(HoleKind.SILENCE)
    packets, begin, end = 0, 0, 0
    for group in captured_groups(captures, progress):
        for block, following in ordered_blocks(group):
            for part in finder.divide(block, following):
                for packet in part:
                    links[packet[1]] += 1
                    decoder.frame(*packet)
            begin, end = begin if packets else block[0][0], block[-1][0]
            packets += len(block)
            decoder.expire(end)
    decoder.finish()
    return _inspection(census, skipped, links, packets, (begin, end), finder)


def _inspection(
    census: _Census,
    skipped: Counter[str],
    links: Counter[int],
    packets: int,
    times: tuple[int, int],
    finder: HoleFinder,
) -> Inspection:
    servers = [
        Server(format_endpoint(host), peers, received, sent)
        for host, peers, received, sent in census.inference.servers()
    ]
    return Inspection(
        packets=packets,
        begin_us=times[0],
        end_us=times[1],
        links=dict(links.most_common()),
        messages=dict(census.messages.most_common()),
        methods=dict(census.methods.most_common()),
        conversations=tuple(
            Conversation(format_endpoint(first), format_endpoint(second), count, protocol)
            for (first, second, protocol), count in census.pairs.most_common(_SHOWN)
        ),
        servers=tuple(servers[:_SHOWN]),
        nodes=_nodes(census, servers),
        skipped={reason: count for reason, count in skipped.most_common() if count},
        holes=tuple((begin, end) for begin, end, _ in finder.holes),
    )


def _nodes(census: _Census, servers: Sequence[Server]) -> tuple[str, ...]:
    """The addresses to watch: the inferred node, and the servers that have nearly as many peers and forward requests too."""
    best = census.inference.best_endpoint()
    if best is None:
        return ()
    node = format_endpoint(best)
    peers = next((server.peers for server in servers if server.address == node), 0)
    others = [
        server.address
        for server in servers
        if server.address != node and peers > 2 and server.peers >= _MIN_SHARE * peers and server.sent
    ]
    return (node, *others)
