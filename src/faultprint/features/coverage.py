"""Coverage: the time intervals in which a node was monitored.

Coverage separates a minute without traffic (inside a coverage interval) from a minute without data (outside all of them).
"""

from __future__ import annotations

import json
import reprlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from faultprint import storage
from faultprint.errors import TableError
from faultprint.tables import COVERAGE_KEY


class CoverageInterval(NamedTuple):
    """Monitoring of a node without a break: start_us ≤ t < end_us, µs since 1970, UTC."""

    node: str
    network: str
    start_us: int
    end_us: int


def parse_coverage(text: str) -> tuple[CoverageInterval, ...]:
    """The intervals in the value of COVERAGE_KEY. Raises TableError for anything but [[node, network, start, end], …]."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"The coverage of the transactions is not JSON ({error}); probe them again.") from None
    if not isinstance(rows, list):
        raise TableError("The coverage of the transactions must be a list of intervals; probe them again.")
    for row in rows:
        if not isinstance(row, list) or [type(value) for value in row] != [str, str, int, int]:
            raise TableError(
                f"A coverage interval must be [node, network, start µs, end µs], not {reprlib.repr(row)}; "
                "probe the transactions again."
            )
    return merge_intervals(CoverageInterval(*row) for row in rows)


def dump_coverage(intervals: Iterable[CoverageInterval]) -> str:
    """The value of COVERAGE_KEY that `parse_coverage` reads back."""
    return json.dumps([list(interval) for interval in intervals])


def merge_intervals(intervals: Iterable[CoverageInterval]) -> tuple[CoverageInterval, ...]:
    """The intervals by node and time; those of a node that overlap or touch become one, empty ones are left out.

    Raises TableError for an interval that ends before it starts, or a node in two networks.
    """
    networks: dict[str, str] = {}
    merged: dict[str, list[CoverageInterval]] = defaultdict(list)
    for interval in sorted(intervals):
        if interval.end_us < interval.start_us:
            raise TableError(
                f"The coverage of node {interval.node!r} ends ({interval.end_us} µs) before it starts "
                f"({interval.start_us} µs); correct the coverage."
            )
        network = networks.setdefault(interval.node, interval.network)
        if network != interval.network:
            raise TableError(
                f"Node {interval.node!r} is in two networks, {network!r} and {interval.network!r}; rename one node."
            )
        if interval.end_us == interval.start_us:
            continue
        known = merged[interval.node]
        if known and interval.start_us <= known[-1].end_us:
            known[-1] = known[-1]._replace(end_us=max(known[-1].end_us, interval.end_us))
        else:
            known.append(interval)
    return tuple(interval for node in sorted(merged) for interval in merged[node])


def coverage_gaps(intervals: Sequence[CoverageInterval]) -> tuple[CoverageInterval, ...]:
    """The time between a node's intervals; `intervals` come from `merge_intervals`."""
    return tuple(
        CoverageInterval(before.node, before.network, before.end_us, after.start_us)
        for before, after in pairwise(intervals)
        if before.node == after.node
    )


def read_coverage(path: Path) -> tuple[CoverageInterval, ...] | None:
    """The coverage in a transactions file's metadata; None if the file has none. Raises TableError."""
    text = storage.metadata(path).get(COVERAGE_KEY)
    return None if text is None else parse_coverage(text)
