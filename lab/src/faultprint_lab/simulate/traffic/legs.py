"""Make rows of the transactions table from exchanges: one row a leg, as a probe at the node writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint import storage
from faultprint.arrays import BoolArray, Float32Array, Float64Array, IntArray
from faultprint.tables import TRANSACTIONS, Direction, Interface, Protocol
from faultprint_lab.simulate.network.request_kinds import (
    ANSWER_BYTES,
    BYE,
    FROM_UE,
    INVITE,
    KINDS,
    REQUEST_BYTES,
    RequestKind,
)
from faultprint_lab.simulate.network.timers import TIMEOUT, count_retransmissions
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.effects import by_tcp, t1_of
from faultprint_lab.simulate.traffic.exchange_table import SILENCE, ExchangeTable

_METHODS: Final = pl.Series([str(KINDS[k].method) for k in RequestKind], dtype=pl.String)
_INTERFACES: Final = pl.Series([str(Interface.MW), str(Interface.GM)], dtype=pl.String)
_ACK_AND_PROVISIONAL: Final = 420
"""Typical length in bytes of an ACK or a provisional response without a body."""

_MISSING: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg of n exchanges; `first`, `ringing` and `end` are seconds after `begin`, NaN if they did not happen."""

    direction: Direction
    gm: BoolArray
    begin: Float64Array
    first: Float64Array
    ringing: Float64Array
    end: Float64Array
    status: npt.NDArray[np.uint16]
    repeated_answers: npt.NDArray[np.uint32]


def to_rows(batch: ExchangeTable, scenario: Scenario, start: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """The transactions of `batch` in order of start, as `faultprint.tables.TRANSACTIONS`; the span begins at `start`."""
    seen = batch.take((batch.t >= 0) & (batch.t < scenario.span) & ~batch.never_arrived)
    noise = np.float32(0.08) * rng.standard_normal(len(seen), dtype=np.float32)
    size = np.float32(scenario.network.transport.size) * (1 + noise)
    arriving, leaving = seen.take(seen.arrives), seen.take(seen.leaves)
    halves = [
        _columns(arriving, _in_leg(arriving, scenario), scenario, size[seen.arrives]),
        _columns(leaving, _out_leg(leaving, scenario), scenario, size[seen.leaves]),
    ]
    columns = {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}
    incoming = np.arange(len(columns["start"])) < len(arriving)
    inside = np.flatnonzero(columns["start"] < round(scenario.span * 1e6))
    order = inside[np.argsort(columns["start"][inside], kind="stable")]
    return _frame({name: column[order] for name, column in columns.items()}, incoming[order], scenario, start)


def _in_leg(part: ExchangeTable, scenario: Scenario) -> _Leg:
    invite = INVITE[part.kind]
    lag = part.forward_delay.astype(np.float64) + part.return_delay
    ring = lag + part.ringing
    # A 100 is not forwarded (RFC 3261, 16.7): if the node sends none itself, its first response is the 18x.
    first = part.forward_delay.astype(np.float64) if scenario.network.habits.answers_100 else ring
    return _Leg(
        Direction.IN,
        FROM_UE[part.kind],
        part.t,
        np.where(invite, first, np.nan),
        ring,
        part.finish() - part.t,
        part.in_status,
        part.lost_responses.astype(np.uint32),
    )


def _out_leg(part: ExchangeTable, scenario: Scenario) -> _Leg:
    gm, invite = ~FROM_UE[part.kind], INVITE[part.kind]
    # The callee repeats its 200 until the ACK comes (RFC 3261, 13.3.1.4), also while this node is slow to forward it.
    responses_lost = np.where(invite & (part.status == 200), 2.0 * part.return_delay, 0.0)
    repeated = count_retransmissions(responses_lost, t1_of(part, scenario, gm=gm), np.zeros(len(part), dtype=np.bool_))
    return _Leg(
        Direction.OUT,
        gm,
        part.t + part.forward_delay,
        part.provisional.astype(np.float64),
        part.ringing.astype(np.float64),
        part.delay.astype(np.float64),
        part.status,
        repeated,
    )


def _columns(part: ExchangeTable, leg: _Leg, scenario: Scenario, size: Float32Array) -> dict[str, npt.NDArray[Any]]:
    invite = INVITE[part.kind]
    ring = np.where(leg.ringing < leg.end, leg.ringing, np.nan)
    first = np.fmin(np.where(leg.first < leg.end, leg.first, np.nan), ring)
    answered = np.where(invite & ~np.isnan(first), first, leg.end)
    udp = ~by_tcp(part, scenario, gm=leg.gm)
    lost = part.lost_responses if leg.direction == Direction.IN else 0
    repeated = count_retransmissions(np.minimum(answered, TIMEOUT), t1_of(part, scenario, gm=leg.gm), invite)
    repeated = np.where(udp, repeated + lost, 0).astype(np.uint32)
    repeated_answers = np.where(udp, leg.repeated_answers, 0).astype(np.uint32)
    provisionals = (~np.isnan(first)).astype(np.uint32) + (ring > first)
    finals = (leg.status != SILENCE).astype(np.uint32)
    acks = invite * finals
    # An error has no body and no Service-Route: about half the length of a success.
    answer = ANSWER_BYTES[part.kind] * np.where(leg.status < 300, 1.0, 0.55)
    length = REQUEST_BYTES[part.kind] * (1 + repeated) + answer * (finals + repeated_answers)
    length = size * (length + _ACK_AND_PROVISIONAL * (provisionals + acks))
    start = np.round(leg.begin * 1e6).astype(np.int64)
    return {
        "kind": part.kind,
        "gm": leg.gm.astype(np.uint8),
        "start": start,
        "user": part.user,
        "dialog": part.dialog,
        "session_us": _microseconds(0, np.where(BYE[part.kind], part.hold, np.nan)),
        "provisional": _microseconds(start, first),
        "ringing": _microseconds(start, ring),
        "completion": _microseconds(start, leg.end),
        "status": leg.status,
        "retransmissions": repeated,
        "response_retransmissions": repeated_answers,
        "messages": (1 + repeated + provisionals + finals + repeated_answers + acks).astype(np.uint32),
        "bytes": length.astype(np.uint32),
    }


def _microseconds(base: Any, seconds: npt.NDArray[np.floating]) -> IntArray:
    known = ~np.isnan(seconds)
    return np.where(known, base + np.round(np.where(known, seconds, 0) * 1e6).astype(np.int64), _MISSING)


def _frame(
    columns: dict[str, npt.NDArray[Any]], incoming: BoolArray, scenario: Scenario, start: datetime
) -> pl.DataFrame:
    """The columns and types of the table; events after the end of the span are unknown."""
    end = round(scenario.span * 1e6)
    epoch = round(start.timestamp() * 1e6)
    unfinished = columns["completion"] >= end
    user = columns["user"]
    series = {
        "interface": _INTERFACES.gather(columns["gm"]),
        "direction": pl.select(
            pl.when(pl.lit(pl.Series(incoming))).then(pl.lit(str(Direction.IN))).otherwise(pl.lit(str(Direction.OUT)))
        ).to_series(),
        "method": _METHODS.gather(columns["kind"]),
        "start": _time(columns["start"], epoch),
        "user": _nullable(scenario.subscribers.keys[user], user < 0),
        "dialog": pl.Series(columns["dialog"]),
        "session_us": _nullable(columns["session_us"], columns["session_us"] == _MISSING),
        "provisional": _time(columns["provisional"], epoch, columns["provisional"] >= end),
        "ringing": _time(columns["ringing"], epoch, columns["ringing"] >= end),
        "completion": _time(columns["completion"], epoch, unfinished),
        "status": _nullable(columns["status"], (columns["status"] == SILENCE) | unfinished),
        **{
            name: pl.Series(columns[name])
            for name in ("retransmissions", "response_retransmissions", "messages", "bytes")
        },
    }
    return (
        pl.DataFrame(series)
        .select(
            pl.lit(scenario.network.node).alias("node"),
            pl.lit(scenario.network.name).alias("network"),
            "interface",
            "direction",
            pl.lit(str(Protocol.SIP)).alias("protocol"),
            *TRANSACTIONS.names[5:],
        )
        .cast(pl.Schema(storage.schema(TRANSACTIONS)))
    )


def _nullable(values: npt.NDArray[Any], missing: BoolArray) -> pl.Series:
    series = pl.Series(values)
    return series.set(pl.Series(missing), None) if missing.any() else series


def _time(microseconds: IntArray, epoch: int, unknown: BoolArray | None = None) -> pl.Series:
    missing = microseconds == _MISSING
    if unknown is not None:
        missing |= unknown
    return _nullable(microseconds + epoch, missing).cast(pl.Datetime("us", "UTC"))
