"""Transactions as events on the grid: requests that start and transactions that complete, as arrays.

Impossible transactions are left out and counted in the report.
"""

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
    direction_method_index,
)
from faultprint.features.partitions import MICROSECONDS, PartitionPlan, RowPartition
from faultprint.features.report import FeatureReport
from faultprint.features.tally import Completions, Requests
from faultprint.tables import TRANSACTIONS, Method, Protocol
from faultprint.units import DAY_US

Columns = dict[str, npt.NDArray[Any]]

NO_TIME: Final = -(2**62)
"""A missing time in arrays. Minus any time on the grid it is still negative."""
MAX_SESSION_US: Final = 366 * DAY_US

_SIP: Final = PROTOCOLS.index(Protocol.SIP)
_IS_BYE: Final = np.isin(
    np.arange(len(OPERATION_OF)), [direction_method_index(direction, Method.BYE) for direction in DIRECTIONS]
)
_AMOUNTS: Final = ("retransmissions", "response_retransmissions", "messages", "bytes")
_TIMES: Final = ("provisional", "ringing", "completion", "session_us")


def read_transactions(transactions: pl.LazyFrame, partition: RowPartition, grid: Grid) -> Columns:
    """The partition's transactions as arrays without nulls. Raises TableError for a value outside the schema."""
    selected = partition.filter(transactions, grid.nodes)
    frame = selected.select(
        _code("node", grid.nodes).cast(pl.Int32).fill_null(-1),
        _code_of_few("protocol", PROTOCOLS),
        direction_method=_code_of_few("direction", DIRECTIONS) * len(METHODS) + _code("method", METHODS),
        start=pl.col("start").cast(MICROSECONDS),
        **{name: pl.col(name).cast(MICROSECONDS).fill_null(NO_TIME) for name in _TIMES},
        status=pl.col("status").cast(pl.UInt32).fill_null(NO_STATUS),
        user=pl.col("user").fill_null(0),
        has_user=pl.col("user").is_not_null(),
        **{name: pl.col(name).cast(pl.Int64) for name in _AMOUNTS},
    ).collect()
    if any(frame.null_count().row(0)):
        storage.check_values(selected.collect(), TRANSACTIONS, "the transactions")
    return {name: frame.get_column(name).to_numpy() for name in frame.columns}


def _code(name: str, words: tuple[str, ...]) -> pl.Expr:
    """The index of the column's word in `words`, null for any other word."""
    return pl.col(name).cast(pl.Enum([str(word) for word in words]), strict=False).to_physical()


def _code_of_few(name: str, words: tuple[str, ...]) -> pl.Expr:
    """The same as `_code`, faster for two or three words."""
    codes = [pl.when(pl.col(name) == str(word)).then(pl.lit(code, pl.UInt8)) for code, word in enumerate(words)]
    return pl.coalesce(codes).alias(name)


def place_events(
    columns: Columns,
    partition: RowPartition,
    grid: Grid,
    plan: PartitionPlan,
    change: IntArray,
    report: FeatureReport,
) -> tuple[Requests, Completions]:
    """The requests that start and the transactions that complete in the partition. Its rows are numbered from 0.

    columns   from `read_transactions`
    change    (segments,) of the grid: +1 is added for each request that opens, -1 for each that closes
    report    gets the number of transactions left out
    """
    covered = grid.locate(columns["node"], columns["start"])
    starts_here = partition.contains(columns["start"]) & (columns["node"] >= 0)
    usable = np.flatnonzero(_usable(columns, covered, starts_here, report))
    if len(usable) < len(covered):
        columns = {name: values[usable] for name, values in columns.items()}
        covered, starts_here = covered[usable], starts_here[usable]
    operation = OPERATION_OF[columns["direction_method"]].astype(np.int64)

    index = np.flatnonzero(starts_here)
    segment, row = grid.place(covered[index], columns["start"][index])
    np.add.at(change, segment, 1)
    user, has_user = columns["user"][index], columns["has_user"][index]
    started = Requests(plan.position[row] - partition.begin, operation[index], user, has_user)

    index = np.flatnonzero((columns["completion"] != NO_TIME) & partition.contains(columns["completion"]))
    ending = _completion_coverage(grid, covered[index], columns["node"][index], columns["completion"][index])
    report.unplaced_outcomes += int(np.count_nonzero(ending < 0))
    index, ending = index[ending >= 0], ending[ending >= 0]
    segment, row = grid.place(ending, columns["completion"][index])
    np.subtract.at(change, segment[ending == covered[index]], 1)
    return started, _completions(columns, index, plan.position[row] - partition.begin, operation)


def _usable(columns: Columns, covered: IntArray, starts_here: BoolArray, report: FeatureReport) -> BoolArray:
    """(n,) bool: the transactions that can be counted. The report gets the others, by the first reason that applies."""
    start, completion, session = columns["start"], columns["completion"], columns["session_us"]
    early = np.zeros(len(start), dtype=np.bool_)
    for name in ("completion", "provisional", "ringing"):
        early |= (columns[name] < start) & (columns[name] != NO_TIME)
    impossible = OUTCOME_OF_STATUS[columns["status"]] == IMPOSSIBLE
    reasons = {
        "not_sip": columns["protocol"] != _SIP,
        "no_sip_method": OPERATION_OF[columns["direction_method"]] == NO_OPERATION,
        "outside_coverage": covered < 0,
        "completed_before_start": early,
        "impossible_status": impossible & (completion != NO_TIME),
        "impossible_session": (session != NO_TIME) & ((session < 0) | (session > MAX_SESSION_US)),
    }
    usable = np.ones(len(start), dtype=np.bool_)
    for reason, applies in reasons.items():
        if applies.any():
            report.dropped[reason] += int(np.count_nonzero(usable & applies & starts_here))
            usable &= ~applies
    return usable


def _completion_coverage(grid: Grid, covered: IntArray, node: IntArray, completion: IntArray) -> IntArray:
    """(n,) the coverage interval of each completion, which is nearly always that of the start (`covered`)."""
    later = np.flatnonzero(completion >= grid.end[covered])
    covered[later] = grid.locate(node[later], completion[later])
    return covered


def _completions(columns: Columns, index: IntArray, row: IntArray, operation: IntArray) -> Completions:
    start, provisional, ringing = (columns[name][index] for name in ("start", "provisional", "ringing"))
    return Completions(
        row=row,
        operation=operation[index],
        outcome=OUTCOME_OF_STATUS[columns["status"][index]].astype(np.int64),
        duration=columns["completion"][index] - start,
        provisional=np.where(ringing != NO_TIME, ringing, provisional) - start,
        ringing=ringing - start,
        session=np.where(_IS_BYE[columns["direction_method"][index]], columns["session_us"][index], NO_TIME),
        **{name: columns[name][index] for name in _AMOUNTS},
    )
