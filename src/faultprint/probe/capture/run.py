"""Capture files → a transactions file.

A coverage interval is a group of captures without a gap. Between two captures there is a gap if more than JOIN_US lies
between the last packet of one and the first packet of the next. A shorter time means one recording that was divided into
several files. Inside a capture there is a gap where nothing at all was captured for longer than its traffic explains
(`capture.ordering`); a shorter pause is a time without traffic, because the capture was running.
"""

from __future__ import annotations

import gc
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Final

from faultprint.errors import CaptureError, UsageError
from faultprint.files import replacing
from faultprint.probe.capture.capture_file import read_packets
from faultprint.probe.capture.ordering import HoleFinder, HoleKind, ordered_blocks
from faultprint.probe.core import Probe
from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.output.parquet import ParquetWriter
from faultprint.probe.output.report import ProbeReport
from faultprint.probe.privacy.key import key_id
from faultprint.probe.transactions.inference import MAX_REQUESTS, NodeInference
from faultprint.probe.transactions.nodes import NodeSpec, WatchedNodes, format_endpoint, parse_endpoint
from faultprint.probe.types import Packet
from faultprint.progress import Progress
from faultprint.tables import COVERAGE_KEY, KEY_ID_KEY, TRANSACTIONS, Interface
from faultprint.units import SECOND_US

__all__ = ["NodeSpec", "ProbeReport", "probe_captures"]

JOIN_US: Final = 10 * SECOND_US
_INFERENCE_PACKETS: Final = 200_000
_BUSIEST: Final = 3


def probe_captures(
    captures: Sequence[Path],
    out: Path,
    *,
    nodes: Sequence[NodeSpec],
    network: str,
    key: bytes,
    peers: Mapping[str, Interface] | None = None,
    holes: HoleKind = HoleKind.AUTO,
    allow_unheard: bool = False,
    progress: Progress | None = None,
) -> ProbeReport:
    """Read captures (several are merged by time) and write the transactions of `nodes` to `out`, all or nothing.

    key        16 to 64 bytes; the same key gives the same hashes
    peers      ADDRESS[:PORT] → interface, for peers whose interface is known
    allow_unheard  write the transactions even if the captures hold no message of a node
    holes      what a long time without any packet inside a capture is taken for (`capture.ordering`)
    progress   called with the bytes read and the total bytes

    Raises CaptureError for a file that is no whole capture, UsageError for nodes, peers or a key that cannot be used, and
    for a node without any message in the captures.
    """
    if not captures:
        raise UsageError("No capture was given; name at least one pcap or pcapng file.")
    endpoints, inferred = _resolve_nodes(captures, nodes)
    given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
    with replacing(out) as temporary, temporary.open("wb") as file, _without_garbage_collection():
        writer = ParquetWriter(file, TRANSACTIONS.columns)
        probe = Probe(endpoints, network, key, writer.append, given)
        finder, cut = HoleFinder(holes), dict[Path, None]()
        _feed_captures(probe, captured_groups(captures, progress, cut.setdefault), finder)
        if probe.unheard and not allow_unheard:
            raise UsageError(_unheard(probe, captures, endpoints))
        coverage = [[name, network, start, end] for name in endpoints for start, end in probe.coverage]
        writer.metadata[KEY_ID_KEY] = key_id(key)
        writer.metadata[COVERAGE_KEY] = json.dumps(coverage)
        writer.close()
    late = (finder.late, finder.latest_by_us)
    return replace(probe.report(inferred, finder.holes), late=late, cut=tuple(map(str, cut)))


def _feed_captures(probe: Probe, groups: Iterable[Iterator[Packet]], finder: HoleFinder) -> None:
    for group in groups:
        begun = False
        for block, following in ordered_blocks(group):
            if not begun and probe.now is not None and block[0][0] - probe.now > JOIN_US:
                probe.interrupt()
            begun = True
            parts = finder.divide(block, following)
            probe.feed_all(next(parts))
            for part in parts:
                probe.interrupt()
                probe.feed_all(part)
    probe.finish()


def captured_groups(
    captures: Sequence[Path], progress: Progress | None = None, on_cut: Callable[[Path], None] | None = None
) -> Iterator[Iterator[Packet]]:
    """The packets of each group of overlapping captures, merged by time. Read each group before the next.

    `on_cut` is called with each file that ends inside a packet.
    """
    waiting = sorted(((_first_time(path), number) for number, path in enumerate(captures)), reverse=True)
    counter = _ByteCounter(captures, progress)
    while waiting:
        yield _merge(captures, waiting, counter, on_cut)
    counter.finish()


def _merge(
    captures: Sequence[Path],
    waiting: list[tuple[int, int]],
    counter: _ByteCounter,
    on_cut: Callable[[Path], None] | None,
) -> Iterator[Packet]:
    """Packets by time, until no file is open. Takes each file off the end of `waiting` when its first packet is due."""
    open_files: list[tuple[int, int, Packet, Iterator[Packet]]] = []
    while True:
        while waiting and (not open_files or waiting[-1][0] <= open_files[0][0]):
            _, number = waiting.pop()
            packets = read_packets(captures[number], counter.of_file(number), on_cut)
            first = next(packets)
            heapq.heappush(open_files, (first[0], number, first, packets))
        _, number, packet, packets = open_files[0]
        yield packet
        if len(open_files) == 1 and not waiting:
            yield from packets
            return
        next_packet = next(packets, None)
        if next_packet is not None:
            heapq.heapreplace(open_files, (next_packet[0], number, next_packet, packets))
        elif len(open_files) > 1:
            heapq.heappop(open_files)
        else:
            return


class _ByteCounter:
    """Reports the bytes read of all files together."""

    def __init__(self, captures: Sequence[Path], progress: Progress | None) -> None:
        self._progress = progress
        self._total = sum(path.stat().st_size for path in captures)
        self._done = [0] * len(captures)

    def of_file(self, number: int) -> Callable[[int], None] | None:
        """A function to call with the bytes read of the file with this number."""
        progress = self._progress
        if progress is None:
            return None

        def on_read(done: int) -> None:
            self._done[number] = done
            progress(sum(self._done), self._total)

        return on_read

    def finish(self) -> None:
        """All files are read."""
        if self._progress is not None:
            self._progress(self._total, self._total)


def _first_time(path: Path) -> int:
    first = next(read_packets(path), None)
    if first is None:
        raise CaptureError(f"{path} holds no packet, only headers; record it again, or leave it out.")
    return first[0]


def _resolve_nodes(
    captures: Sequence[Path], nodes: Sequence[NodeSpec]
) -> tuple[dict[str, tuple[bytes, ...]], frozenset[str]]:
    """Node → endpoints, and the names of nodes whose endpoint was inferred. Raises UsageError."""
    if not nodes:
        raise UsageError("No node was given; name the one to watch with --node NAME or --node NAME=ADDRESS.")
    endpoints = {spec.name: tuple(map(parse_endpoint, spec.addresses)) for spec in nodes}
    if len(endpoints) < len(nodes):
        raise UsageError(
            "Two nodes have the same name; use a different name for each, or list all addresses of one node."
        )
    unknown = [spec.name for spec in nodes if not spec.addresses]
    if len(unknown) > 1:
        raise UsageError(
            f"Nodes {unknown[0]!r} and {unknown[1]!r} both lack an address, but only one node can be inferred; "
            "write NAME=ADDRESS for the others."
        )
    for name in unknown:
        endpoint = _infer(captures, WatchedNodes(endpoints))
        endpoints[name] = (endpoint,) if endpoint else ()
    return endpoints, frozenset(unknown)


def _unheard(probe: Probe, captures: Sequence[Path], endpoints: Mapping[str, Sequence[bytes]]) -> str:
    """The error for a node without any message: what there is instead, and how to watch it."""
    name = probe.unheard[0]
    addresses = ", ".join(map(format_endpoint, endpoints[name])) or "no address"
    servers = _counted(captures, WatchedNodes({})).servers()[:_BUSIEST]
    if not servers:
        return (
            f"The captures hold no message of node {name!r} ({addresses}), and no SIP request at all; "
            f"run: faultprint inspect {captures[0]}"
        )
    busiest = ", ".join(f"{format_endpoint(host)} ({received} requests)" for host, _, received, _ in servers)
    return (
        f"The captures hold no message of node {name!r} ({addresses}). Requests go to {busiest}; watch one of these: "
        f"--node {name}={format_endpoint(servers[0][0])}, or give --allow-unheard."
    )


def _infer(captures: Sequence[Path], others: WatchedNodes) -> bytes | None:
    return _counted(captures, others).best_endpoint()


def _counted(captures: Sequence[Path], others: WatchedNodes) -> NodeInference:
    """The requests at the start of the captures, by sender and receiver."""
    inference = NodeInference(others)
    decoder = Decoder(inference.sip, inference.diameter, Counter())
    for packet in islice(chain.from_iterable(captured_groups(captures)), _INFERENCE_PACKETS):
        decoder.frame(*packet)
        if inference.requests >= MAX_REQUESTS:
            break
    return inference


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Switch the garbage collector off. The probe makes no cycles, and scanning the open transactions takes 10 % of the
    time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
