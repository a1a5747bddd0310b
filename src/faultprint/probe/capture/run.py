"""Capture files → a transactions file: the probe's edge to the disk.

One stretch of coverage is one run of captures without a gap. A silence inside a capture is a time without traffic,
since somebody listened; only between captures nobody did, if more than JOIN_US lies between the last packet of one
and the first of the next. Less is taken for one recording that was cut into several files.
"""

from __future__ import annotations

import gc
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Final

from faultprint.errors import CaptureError, UsageError
from faultprint.files import replacing
from faultprint.probe.capture.capture_file import read_packets
from faultprint.probe.clock import SECOND
from faultprint.probe.core import Probe
from faultprint.probe.decode.decoder import Decoder
from faultprint.probe.output.parquet import ParquetWriter
from faultprint.probe.output.report import ProbedNode, ProbeReport
from faultprint.probe.transactions.inference import ENOUGH, Inference
from faultprint.probe.transactions.nodes import NodeSpec, WatchedNodes, format_endpoint, parse_endpoint
from faultprint.probe.types import Packet
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS, Interface

__all__ = ["NodeSpec", "ProbeReport", "probe_captures"]

JOIN_US: Final = 10 * SECOND
_INFERENCE_PACKETS: Final = 200_000

Progress = Callable[[int, int], None]


def probe_captures(
    captures: Sequence[Path],
    out: Path,
    *,
    nodes: Sequence[NodeSpec],
    network: str,
    key: bytes,
    peers: Mapping[str, Interface] | None = None,
    progress: Progress | None = None,
) -> ProbeReport:
    """Read captures (several are merged by time) and write the transactions of `nodes` to `out`, all or nothing.

    `key`: 16 to 64 bytes; the same key gives the same hashes. `peers`: ADDRESS[:PORT] → interface where it is known.
    `progress`: called with bytes read and bytes in all. Raises CaptureError for a file that is no whole capture,
    UsageError for nodes, peers or a key that cannot be used.
    """
    if not captures:
        raise UsageError("No capture was given; name at least one pcap or pcapng file.")
    found = _resolve(captures, nodes)
    given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
    with replacing(out) as temporary, temporary.open("wb") as file, _without_garbage_collection():
        writer = ParquetWriter(file, TRANSACTIONS.columns)
        probe = Probe({name: ends for name, (ends, _) in found.items()}, network, key, writer.append, given)
        _read_all(probe, captures, progress)
        coverage = [[name, network, start, end] for name in found for start, end in probe.coverage]
        writer.metadata[COVERAGE_KEY] = json.dumps(coverage)
        writer.close()
    return report_of(probe, found)


def report_of(probe: Probe, found: Mapping[str, tuple[tuple[bytes, ...], bool]]) -> ProbeReport:
    sip, diameter = both = probe.sip, probe.diameter
    return ProbeReport(
        messages=sip.messages,
        diameter_messages=diameter.messages,
        transactions=sum(ledger.rows for ledger in both),
        retransmissions=sum(ledger.retransmissions for ledger in both),
        duplicates=sum(ledger.duplicates for ledger in both),
        malformed=dict((sip.malformed + diameter.malformed).most_common()),
        skipped={reason: count for reason, count in probe.skipped.most_common() if count},
        nodes={
            name: ProbedNode(tuple(map(format_endpoint, ends)), inferred) for name, (ends, inferred) in found.items()
        },
        open=sum(ledger.open for ledger in both),
        timed_out=sum(ledger.timed_out for ledger in both),
        coverage=tuple(probe.coverage),
    )


def _read_all(probe: Probe, captures: Sequence[Path], progress: Progress | None) -> None:
    for run in _runs(captures, progress):
        first = next(run)
        if probe.now is not None and first[0] - probe.now > JOIN_US:
            probe.interrupt()
        probe.feed(*first)
        probe.feed_all(run)
    probe.finish()


def _runs(captures: Sequence[Path], progress: Progress | None = None) -> Iterator[Iterator[Packet]]:
    """The packets of captures that overlap, merged by time; a run for each group of them, to be read in turn."""
    waiting = sorted(((_first_time(path), number) for number, path in enumerate(captures)), reverse=True)
    read = _Progress(captures, progress)
    while waiting:
        yield _run(captures, waiting, read)
    read.finish()


def _run(captures: Sequence[Path], waiting: list[tuple[int, int]], read: _Progress) -> Iterator[Packet]:
    """Packets by time, each file opened (taken off the end of `waiting`) when its turn comes, until none is open."""
    running: list[tuple[int, int, Packet, Iterator[Packet]]] = []
    while True:
        while waiting and (not running or waiting[-1][0] <= running[0][0]):
            _, number = waiting.pop()
            packets = read_packets(captures[number], read.watch(number))
            first = next(packets)
            heapq.heappush(running, (first[0], number, first, packets))
        _, number, packet, packets = running[0]
        yield packet
        if len(running) == 1 and not waiting:
            yield from packets
            return
        following = next(packets, None)
        if following is not None:
            heapq.heapreplace(running, (following[0], number, following, packets))
        elif len(running) > 1:
            heapq.heappop(running)
        else:
            return


class _Progress:
    """Bytes read of all files together."""

    def __init__(self, captures: Sequence[Path], report: Progress | None) -> None:
        self._report = report
        self._total = sum(path.stat().st_size for path in captures)
        self._done = [0] * len(captures)

    def watch(self, number: int) -> Callable[[int], None] | None:
        """For the file of this number: called with the bytes read of it."""
        report = self._report
        if report is None:
            return None

        def seen(done: int) -> None:
            self._done[number] = done
            report(sum(self._done), self._total)

        return seen

    def finish(self) -> None:
        if self._report is not None:
            self._report(self._total, self._total)


def _first_time(path: Path) -> int:
    packets = read_packets(path)
    first = next(packets, None)
    if first is None:
        raise CaptureError(f"{path} holds no packet, only headers; record it again, or leave it out.")
    return first[0]


def _resolve(captures: Sequence[Path], nodes: Sequence[NodeSpec]) -> dict[str, tuple[tuple[bytes, ...], bool]]:
    """Name → endpoints, and whether they were inferred. Raises UsageError."""
    if not nodes:
        raise UsageError("No node was given; name the one to watch with --node NAME or --node NAME=ADDRESS.")
    found = {spec.name: (tuple(map(parse_endpoint, spec.addresses)), False) for spec in nodes}
    if len(found) < len(nodes):
        raise UsageError(
            "Two nodes have the same name; give each its own, or list all addresses of a node behind one name."
        )
    unknown = [spec.name for spec in nodes if not spec.addresses]
    if len(unknown) > 1:
        raise UsageError(
            f"Nodes {unknown[0]!r} and {unknown[1]!r} both lack an address, but only one node can be inferred; "
            "write NAME=ADDRESS for the others."
        )
    for name in unknown:
        endpoint = _infer(captures, WatchedNodes({other: ends for other, (ends, _) in found.items()}))
        found[name] = ((endpoint,) if endpoint else (), True)
    return found


def _infer(captures: Sequence[Path], others: WatchedNodes) -> bytes | None:
    inference = Inference(others)
    decoder = Decoder(inference.sip, inference.diameter, Counter())
    for packet in islice(chain.from_iterable(_runs(captures)), _INFERENCE_PACKETS):
        decoder.frame(*packet)
        if inference.requests >= ENOUGH:
            break
    return inference.best()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Nothing the probe makes refers to itself, and walking the open transactions again and again costs a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
