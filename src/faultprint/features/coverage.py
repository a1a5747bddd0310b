"""Coverage: the stretches of time in which a node was listened to.

They tell a minute without traffic (inside a stretch) from a minute without data (outside every stretch).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from faultprint import storage
from faultprint.errors import TableError
from faultprint.tables import COVERAGE_KEY


class Interval(NamedTuple):
    """Listening without a break: start_us ≤ t < end_us, µs since the epoch, UTC."""

    node: str
    network: str
    start_us: int
    end_us: int


def parse(text: str) -> tuple[Interval, ...]:
    """The stretches in the value of COVERAGE_KEY. Raises TableError for anything but [[node, network, start, end], …]."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"The coverage of the transactions is no JSON ({error}); probe them again.") from None
    if not isinstance(rows, list):
        raise TableError("The coverage of the transactions must be a list of stretches; probe them again.")
    for row in rows:
        if not isinstance(row, list) or [type(value) for value in row] != [str, str, int, int]:
            raise TableError(f"A stretch of coverage is [node, network, start µs, end µs], not {row!r}; probe again.")
    return normalise(Interval(*row) for row in rows)


def dump(stretches: Iterable[Interval]) -> str:
    """The value of COVERAGE_KEY that `parse` reads back."""
    return json.dumps([list(stretch) for stretch in stretches])


def normalise(stretches: Iterable[Interval]) -> tuple[Interval, ...]:
    """By node and time, those of a node that overlap or touch joined into one.

    Raises TableError for a stretch that ends before it starts, or a node in two networks. Empty stretches vanish.
    """
    networks: dict[str, str] = {}
    joined: dict[str, list[Interval]] = defaultdict(list)
    for stretch in sorted(stretches):
        if stretch.end_us < stretch.start_us:
            raise TableError(
                f"Coverage of node {stretch.node!r} ends ({stretch.end_us} µs) before it starts ({stretch.start_us} µs);"
                " correct the coverage."
            )
        if networks.setdefault(stretch.node, stretch.network) != stretch.network:
            raise TableError(
                f"Node {stretch.node!r} is in two networks, {networks[stretch.node]!r} and {stretch.network!r}; name them apart."
            )
        if stretch.end_us == stretch.start_us:
            continue
        known = joined[stretch.node]
        if known and stretch.start_us <= known[-1].end_us:
            known[-1] = known[-1]._replace(end_us=max(known[-1].end_us, stretch.end_us))
        else:
            known.append(stretch)
    return tuple(stretch for node in sorted(joined) for stretch in joined[node])


def gaps(stretches: Sequence[Interval]) -> tuple[Interval, ...]:
    """The time between a node's stretches that nobody listened to; `stretches` as `normalise` leaves them."""
    return tuple(
        Interval(before.node, before.network, before.end_us, after.start_us)
        for before, after in pairwise(stretches)
        if before.node == after.node
    )


def read(path: Path) -> tuple[Interval, ...] | None:
    """The coverage in a transactions file's metadata; None where the file has none. Raises TableError."""
    text = storage.metadata(path).get(COVERAGE_KEY)
    return None if text is None else parse(text)
