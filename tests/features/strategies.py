"""Transactions and coverage as Hypothesis draws them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl
from hypothesis import strategies as st

from faultprint import storage
from faultprint.tables import TRANSACTIONS, Direction, Method, Protocol

NODES = ("a", "b", "c")
INTERVAL = 1_000
SPAN = 6 * INTERVAL

STATUSES = [200, 202, 302, 401, 404, 407, 408, 480, 486, 487, 500, 502, 503, 504, 600, 603, 606]
SIP_METHODS = [str(method) for method in Method][:18]
COMMON = ["REGISTER.initial", "REGISTER.refresh", "INVITE.originating", "INVITE.terminating", "BYE"]


def row(**given: Any) -> dict[str, Any]:
    """One answered transaction, times in µs; `given` replaces its values."""
    usual: dict[str, Any] = {
        "node": "a",
        "network": "net",
        "interface": "Gm",
        "direction": "in",
        "protocol": "SIP",
        "method": "BYE",
        "start": 0,
        "user": 1,
        "dialog": None,
        "session_us": None,
        "provisional": None,
        "ringing": None,
        "completion": 10,
        "status": 200,
        "retransmissions": 0,
        "response_retransmissions": 0,
        "messages": 2,
        "bytes": 700,
    }
    return usual | given


def _mostly(usual: st.SearchStrategy[Any], *rare: Any) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda dice: usual if dice else st.sampled_from(rare))


@st.composite
def _transaction(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.integers(0, SPAN) | st.integers(0, SPAN // INTERVAL).map(lambda number: number * INTERVAL))
    later = st.integers(0, 3 * INTERVAL).map(lambda duration: start + duration)
    optional = st.none() | later
    return row(
        node=draw(st.sampled_from(NODES)),
        direction=str(draw(st.sampled_from(Direction))),
        protocol=str(draw(_mostly(st.just(Protocol.SIP), Protocol.DIAMETER))),
        method=draw(_mostly(st.sampled_from(COMMON) | st.sampled_from(SIP_METHODS), "UAR")),
        start=start,
        user=draw(st.none() | st.integers(0, 5) | st.just(2**64 - 1)),
        session_us=draw(_mostly(st.none() | st.integers(0, 10**9), -1)),
        provisional=draw(_mostly(optional, start - 1)),
        ringing=draw(_mostly(optional, start - 1)),
        completion=draw(_mostly(later, None, start - 1)),
        status=draw(_mostly(st.sampled_from(STATUSES), None, None, None, 0, 100, 700)),
        retransmissions=draw(_mostly(st.integers(0, 3), 2**32 - 1)),
        response_retransmissions=draw(st.integers(0, 3)),
        messages=draw(st.integers(1, 9)),
        bytes=draw(_mostly(st.integers(0, 9_000), 2**32 - 1)),
    )


def transactions() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to 40 rows, a few of them impossible."""
    return st.lists(_transaction(), max_size=40)


@st.composite
def coverages(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Coverage as (node, start, end), which neither overlap nor touch; some nodes may have none."""
    result = []
    for node in NODES:
        times = sorted(draw(st.lists(st.integers(0, SPAN + 1), max_size=8, unique=True)))
        whole = draw(st.booleans())
        pairs = [(0, SPAN + 1)] if whole else zip(times[::2], times[1::2], strict=False)
        result += [(node, *pair) for pair in pairs]
    return result


def table(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """A TRANSACTIONS table of rows whose times are µs."""
    columns = {}
    for name, dtype in storage.schema(TRANSACTIONS).items():
        stored = pl.Int64() if isinstance(dtype, pl.Datetime) else dtype
        columns[name] = pl.Series([entry[name] for entry in rows], dtype=stored).cast(dtype)
    return pl.DataFrame(columns)


def crowd(count: int, seed: int) -> list[dict[str, Any]]:
    """Many rows of every method and status, so that each operation of each interval has tens of rows."""
    random = Random(seed)

    def later(start: int, chance: float) -> int | None:
        return start + int(random.expovariate(1 / INTERVAL)) if random.random() < chance else None

    return [
        row(
            node=random.choice(NODES),
            direction=random.choice(["in", "out"]),
            method=random.choice(COMMON if random.random() < 0.7 else SIP_METHODS),
            start=(start := random.randrange(SPAN)),
            user=random.choice([None, *range(300)]),
            session_us=random.choice([None, random.randrange(10**9)]),
            provisional=later(start, 0.7),
            ringing=later(start, 0.4),
            completion=later(start, 0.95),
            status=random.choice([*STATUSES, None]),
            retransmissions=random.randrange(4),
            response_retransmissions=random.randrange(3),
            messages=random.randrange(1, 9),
            bytes=random.randrange(9_000),
        )
        for _ in range(count)
    ]
