"""Transactions as arrays: read by columns, what cannot be true left out and counted, placed on the grid."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint import storage
from faultprint.arrays import BoolArray, IntArray
from faultprint.features.grid import Grid
from faultprint.features.outcomes import (
    DIRECTIONS,
    IMPOSSIBLE,
    METHODS,
    NO_OPERATION,
    NO_STATUS,
    OPERATION_OF,
    OUTCOME_OF_STATUS,
    PROTOCOLS,
    direction_and_method,
)
from faultprint.features.partitions import MICROSECONDS, Partition, PartitionPlan
from faultprint.features.report import FeatureReport
from faultprint.features.tally import Completions, Requests
from faultprint.tables import TRANSACTIONS, Method, Protocol

Columns = dict[str, npt.NDArray[Any]]

NEVER: Final = -(2**62)
"""Stands for a missing time in arrays; less any time on the grid it stays negative."""
LONGEST_SESSION_US: Final = 366 * 86_400_000_000

_SIP: Final = PROTOCOLS.index(Protocol.SIP)
_IS_BYE: Final = np.isin(np.arange(len(OPERATION_OF)), [direction_and_method(way, Method.BYE) for way in DIRECTIONS])
_AMOUNTS: Final = ("retransmissions", "response_retransmissions", "messages", "bytes")
_TIMES: Final = ("provisional", "ringing", "completion", "session_us")


def read(transactions: pl.LazyFrame, chunk: Partition, grid: Grid) -> Columns:
    """The chunk's transactions as arrays without nulls. Raises TableError for a value outside the schema."""
    chosen = chunk.select(transactions, grid.nodes)
    frame = chosen.select(
        _code("node", grid.nodes).cast(pl.Int32).fill_null(-1),
        _choice("protocol", PROTOCOLS),
        pair=_choice("direction", DIRECTIONS) * len(METHODS) + _code("method", METHODS),
        start=pl.col("start").cast(MICROSECONDS),
        **{name: pl.col(name).cast(MICROSECONDS).fill_null(NEVER) for name in _TIMES},
        status=pl.col("status").cast(pl.UInt32).fill_null(NO_STATUS),
        user=pl.col("user").fill_null(0),
        known=pl.col("user").is_not_null(),
        **{name: pl.col(name).cast(pl.Int64) for name in _AMOUNTS},
    ).collect()
    if any(frame.null_count().row(0)):
        storage.check_values(chosen.collect(), TRANSACTIONS, "the transactions")
    return {name: frame.get_column(name).to_numpy() for name in frame.columns}


def _code(name: str, words: tuple[str, ...]) -> pl.Expr:
    """The word's place among `words`, null for any other."""
    return pl.col(name).cast(pl.Enum([str(word) for word in words]), strict=False).to_physical()


def _choice(name: str, words: tuple[str, ...]) -> pl.Expr:
    """The same as `_code`, quicker where there are but two or three words to compare with."""
    places = [pl.when(pl.col(name) == str(word)).then(pl.lit(place, pl.UInt8)) for place, word in enumerate(words)]
    return pl.coalesce(places).alias(name)


def split(
    columns: Columns, chunk: Partition, grid: Grid, plan: PartitionPlan, change: IntArray, report: FeatureReport
) -> tuple[Requests, Completions]:
    """The requests that start and the transactions that complete in the chunk's rows, which are numbered from 0.

    `columns` come from `read`. Adds to `change` (slots of the grid) each request that opens and takes off each that
    closes, and to `report` what was left out.
    """
    stretch = grid.locate(columns["node"], columns["start"])
    owned = chunk.owns(columns["start"]) & (columns["node"] >= 0)
    usable = np.flatnonzero(_usable(columns, stretch, owned, report))
    if len(usable) < len(stretch):
        columns = {name: values[usable] for name, values in columns.items()}
        stretch, owned = stretch[usable], owned[usable]
    operation = OPERATION_OF[columns["pair"]].astype(np.int64)

    mine = np.flatnonzero(owned)
    slot, row = grid.place(stretch[mine], columns["start"][mine])
    np.add.at(change, slot, 1)
    started = Requests(plan.position[row] - chunk.begin, operation[mine], columns["user"][mine], columns["known"][mine])

    mine = np.flatnonzero((columns["completion"] != NEVER) & chunk.owns(columns["completion"]))
    ending = _ending(grid, stretch[mine], columns["node"][mine], columns["completion"][mine])
    report.unplaced_outcomes += int(np.count_nonzero(ending < 0))
    mine, ending = mine[ending >= 0], ending[ending >= 0]
    slot, row = grid.place(ending, columns["completion"][mine])
    np.subtract.at(change, slot[ending == stretch[mine]], 1)
    return started, _completions(columns, mine, plan.position[row] - chunk.begin, operation)


def _usable(columns: Columns, stretch: IntArray, owned: BoolArray, report: FeatureReport) -> BoolArray:
    """(n,) bool: the transactions that can be counted; the others go to the report by the first reason that applies."""
    start, completion, session = columns["start"], columns["completion"], columns["session_us"]
    early = np.zeros(len(start), dtype=np.bool_)
    for name in ("completion", "provisional", "ringing"):
        early |= (columns[name] < start) & (columns[name] != NEVER)
    impossible = OUTCOME_OF_STATUS[columns["status"]] == IMPOSSIBLE
    reasons = {
        "not_sip": columns["protocol"] != _SIP,
        "no_sip_method": OPERATION_OF[columns["pair"]] == NO_OPERATION,
        "outside_coverage": stretch < 0,
        "completed_before_start": early,
        "impossible_status": impossible & (completion != NEVER),
        "impossible_session": (session != NEVER) & ((session < 0) | (session > LONGEST_SESSION_US)),
    }
    usable = np.ones(len(start), dtype=np.bool_)
    for reason, applies in reasons.items():
        if applies.any():
            report.dropped[reason] += int(np.count_nonzero(usable & applies & owned))
            usable &= ~applies
    return usable


def _ending(grid: Grid, stretch: IntArray, node: IntArray, completion: IntArray) -> IntArray:
    """(n,) the stretch of each completion, which nearly always is that of the start."""
    later = np.flatnonzero(completion >= grid.end[stretch])
    stretch[later] = grid.locate(node[later], completion[later])
    return stretch


def _completions(columns: Columns, where: IntArray, row: IntArray, operation: IntArray) -> Completions:
    start, provisional, ringing = (columns[name][where] for name in ("start", "provisional", "ringing"))
    return Completions(
        row=row,
        operation=operation[where],
        outcome=OUTCOME_OF_STATUS[columns["status"][where]].astype(np.int64),
        duration=columns["completion"][where] - start,
        provisional=np.where(ringing != NEVER, ringing, provisional) - start,
        ringing=ringing - start,
        session=np.where(_IS_BYE[columns["pair"][where]], columns["session_us"][where], NEVER),
        **{name: columns[name][where] for name in _AMOUNTS},
    )
