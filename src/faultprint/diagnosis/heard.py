"""What a node's minutes hold, without any model: requests, outcomes and delays of each operation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from faultprint.features.wording import OPERATIONS
from faultprint.units import SECOND_US


@dataclass(frozen=True, slots=True)
class HeardOperation:
    """One operation over all minutes of a node.

    attempts   requests
    success, timeout, server_error   mean shares of the outcomes, weighted by requests; None without an outcome
    delay_s    largest 95th percentile of a minute's delays, s; None if nothing was answered
    """

    name: str
    attempts: int
    success: float | None
    timeout: float | None
    server_error: float | None
    delay_s: float | None


def heard_operations(minutes: pl.DataFrame) -> list[HeardOperation]:
    """The operations in a node's MINUTES, the busiest first; none for another catalogue than `sip`."""
    found = []
    for operation, words in OPERATIONS.items():
        if f"{operation}.attempts" not in minutes.columns:
            continue
        rows = minutes.filter(pl.col(f"{operation}.attempts") > 0)
        if rows.is_empty():
            continue
        delay = minutes[f"{operation}.delay_p95"].max()
        found.append(
            HeardOperation(
                words,
                int(rows[f"{operation}.attempts"].sum()),
                _mean(rows, operation, "success_share"),
                _mean(rows, operation, "timeout_share"),
                _mean(rows, operation, "server_error_share"),
                delay if isinstance(delay, float) else None,
            )
        )
    return sorted(found, key=lambda each: -each.attempts)


def heard_seconds(minutes: pl.DataFrame, interval_us: int) -> float:
    """How long the probe listened to a node, s."""
    return float(minutes["observed"].sum()) * interval_us / SECOND_US


def _mean(rows: pl.DataFrame, operation: str, share: str) -> float | None:
    known = rows.filter(pl.col(f"{operation}.{share}").is_not_null())
    if known.is_empty():
        return None
    return float(
        np.average(known[f"{operation}.{share}"].to_numpy(), weights=known[f"{operation}.attempts"].to_numpy())
    )
