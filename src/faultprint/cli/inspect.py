"""The command `inspect`: what a capture holds, and how to probe it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultprint.cli.options import INPUT, json_option, progress_bar, report

if TYPE_CHECKING:
    from faultprint.probe.capture.inspection import Inspection


@click.command()
@click.argument("captures", nargs=-1, required=True, type=INPUT)
@json_option
def inspect(captures: tuple[Path, ...], as_json: bool) -> None:
    """Say who talks to whom in CAPTURES (pcap, pcapng, plain or gzip), and which command probes them.

    Nothing is written. Use it before `faultprint probe`, to find the address of the node to watch.
    """
    from faultprint.probe.capture.inspection import inspect_captures

    with progress_bar("bytes") as progress:
        found = inspect_captures(captures, progress)
    command = _command(captures, found.nodes)
    report(found.as_dict() | {"command": command}, as_json, lambda: _lines(found, command))


def _command(captures: Sequence[Path], nodes: Sequence[str]) -> str:
    """The probe command for these nodes, as a shell takes it; empty without a node."""
    if not nodes:
        return ""
    names = ["pcscf"] if len(nodes) == 1 else [f"pcscf{number}" for number in range(1, len(nodes) + 1)]
    watched = [word for name, node in zip(names, nodes, strict=True) for word in ("--node", f"{name}={node}")]
    return shlex.join(["faultprint", "probe", *map(str, captures), *watched, "--out", "transactions.parquet"])


def _lines(found: Inspection, command: str) -> Iterator[str]:
    seconds = (found.end_us - found.begin_us) / 1e6
    yield f"{found.packets:,} packets from {_utc(found.begin_us)} to {_utc(found.end_us)} UTC ({_duration(seconds)})"
    yield f"link layers: {_counts({f'LINKTYPE {link}': count for link, count in found.links.items()})}"
    yield f"messages: {_counts(found.messages) or 'no SIP and no Diameter'}"
    if found.methods:
        yield f"SIP requests: {_counts(found.methods)}"
    if found.conversations:
        yield from ("", "host pairs with most messages")
        rows = [(each.first, each.second, each.protocol, f"{each.messages:,}") for each in found.conversations]
        yield from _table(("host", "host", "protocol", "messages"), rows)
    if found.servers:
        yield from ("", "hosts that serve others")
        servers = [(each.address, f"{each.peers:,}", f"{each.received:,}", f"{each.sent:,}") for each in found.servers]
        yield from _table(("host", "peers", "requests received", "requests sent on"), servers)
    if found.skipped:
        yield from ("", "not used")
        yield from _table(("reason", "number"), [(why, f"{count:,}") for why, count in found.skipped.items()])
    for begin, end in found.holes:
        yield f"no packet at all from {_utc(begin)} to {_utc(end)} UTC: was the capture stopped?"
    yield ""
    if command:
        yield f"{found.nodes[0]} serves most peers, as a P-CSCF does. To probe it:"
        yield command
    else:
        yield "No host receives SIP or Diameter requests, so there is no node to watch. Capture at the node's own interface."


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their longest cell; the first is left, numbers are right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    numbers = [cell.replace(",", "").isdigit() for cell in rows[0]]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()


def _utc(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
