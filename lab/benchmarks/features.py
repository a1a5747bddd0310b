"""Features against the direct way: one Polars expression for each figure, grouped by node and minute.

The transactions are generated: one day of four nodes with equal traffic. Both ways read the same Parquet file, and their
counts and shares are compared before the timing.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.features import coverage
from faultprint.features.coverage import CoverageInterval
from faultprint.features.minutes import (
    compute_minutes,
)
from faultprint.features.operations import OPERATIONS
from faultprint.features.outcomes import METHODS
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS
from faultprint.units import MINUTE_US

FOLDER = Path("build/bench")
TRANSACTIONS_MADE = 2_400_000
NODES = tuple(f"pcscf{number}" for number in range(4))
RUNS = 5
SEED = 20
_START = 1_700_006_400_000_000
_DAY = 86_400_000_000
STATUSES = (200, 200, 200, 200, 200, 200, 202, 401, 401, 404, 408, 480, 486, 487, 500, 503)
USERS = 40_000

COVERAGE = tuple(CoverageInterval(node, "bench", _START, _START + _DAY) for node in NODES)


def transactions(count: int, seed: int) -> pl.DataFrame:
    """A TRANSACTIONS table ordered by node and start: a daily curve, log-normal delays, 1 % without an answer."""
    rng = np.random.default_rng(seed)
    moment = np.sort(rng.beta(4, 3, count) * (_DAY - 40_000_000)).astype(np.int64) + _START
    node = np.sort(np.arange(count) % len(NODES))
    start = moment[np.argsort(np.arange(count) % len(NODES), kind="stable")]
    delay = rng.lognormal(np.log(80_000), 0.8, count).astype(np.int64) + 1
    lost = rng.random(count) < 0.01
    method = rng.choice(18, count)
    bye = method == METHODS.index("BYE")
    texts = np.array([str(word) for word in METHODS])
    return pl.DataFrame(
        {
            "node": np.array(NODES)[node],
            "network": np.full(count, "bench"),
            "interface": np.full(count, "Gm"),
            "direction": np.array(["in", "out"])[rng.choice(2, count)],
            "protocol": np.full(count, "SIP"),
            "method": texts[method],
            "start": _times(start, np.zeros(count, dtype=np.bool_)),
            "user": rng.integers(0, 2**64, USERS, dtype=np.uint64)[rng.choice(USERS, count)],
            "dialog": rng.integers(0, 2**64, count, dtype=np.uint64),
            "session_us": pl.Series(rng.integers(0, 600_000_000, count)).set(pl.Series(~bye), None),
            "provisional": _times(start + delay // 8, lost | (rng.random(count) < 0.4)),
            "ringing": _times(start + delay // 2, lost | (rng.random(count) < 0.8)),
            "completion": _times(start + np.where(lost, 32_000_000, delay), np.zeros(count, dtype=np.bool_)),
            "status": pl.Series(np.array(STATUSES, dtype=np.uint16)[rng.choice(len(STATUSES), count)]).set(
                pl.Series(lost), None
            ),
            "retransmissions": np.where(lost, 6, rng.random(count) < 0.03).astype(np.uint32),
            "response_retransmissions": (rng.random(count) < 0.02).astype(np.uint32),
            "messages": rng.integers(2, 6, count, dtype=np.uint32),
            "bytes": rng.integers(800, 6_000, count, dtype=np.uint32),
        }
    )


def _times(time_us: np.ndarray, absent: np.ndarray) -> pl.Series:
    return pl.Series(time_us).set(pl.Series(absent), None).cast(pl.Datetime("us", "UTC"))


def wide(frame: pl.LazyFrame) -> pl.DataFrame:
    """Ten operations × twelve statistics in plain Polars, without a grid, checks or indicators."""
    status, minute = pl.col("status"), pl.lit(MINUTE_US)
    shares = {
        "success_share": status.is_between(200, 299),
        "challenge_share": status.is_in([401, 407]),
        "user_share": status.is_in([480, 486, 487, 600, 603]) | status.is_between(300, 399),
        "client_error_share": (status.is_between(400, 499) | status.is_between(600, 699))
        & ~status.is_in([401, 407, 408, 480, 486, 487, 600, 603]),
        "server_error_share": status.is_between(500, 599),
        "timeout_share": status.is_null() | (status == 408),
    }
    start, completion = (pl.col(name).cast(pl.Int64) for name in ("start", "completion"))
    answered = pl.when(status.is_not_null()).then(completion - start)
    provisional = pl.coalesce("ringing", "provisional").cast(pl.Int64) - start
    attempts, outcomes = [], []
    for operation in OPERATIONS:
        chosen = (pl.col("direction") == str(operation.direction)) & pl.col("method").is_in(
            [str(m) for m in operation.methods]
        )
        attempts.append(chosen.sum().cast(pl.Float32).alias(f"{operation.key}.attempts"))
        statistics_ = {
            **{name: condition.fill_null(False).filter(chosen).mean() for name, condition in shares.items()},
            "retransmission_share": pl.col("retransmissions").filter(chosen).mean(),
            "provisional_delay": provisional.filter(chosen).quantile(0.5, "nearest") / 1e6,
            "delay_median": answered.filter(chosen).quantile(0.5, "nearest") / 1e6,
            "delay_p95": answered.filter(chosen).quantile(0.95, "nearest") / 1e6,
            "bytes_mean": pl.col("bytes").filter(chosen).mean(),
        }
        outcomes += [figure.cast(pl.Float32).alias(f"{operation.key}.{name}") for name, figure in statistics_.items()]
    started = frame.group_by("node", minute=start // minute * minute).agg(attempts)
    ended = frame.group_by("node", minute=completion // minute * minute).agg(outcomes)
    return started.join(ended, on=["node", "minute"], how="full", coalesce=True).sort("node", "minute").collect()


def _compare(path: Path) -> None:
    """Raise AssertionError unless both ways agree on all counts and shares."""
    ours = compute_minutes(pl.scan_parquet(path), COVERAGE).with_columns(pl.col("minute").cast(pl.Int64))
    theirs = wide(pl.scan_parquet(path))
    ours = ours.join(theirs.select("node", "minute"), on=["node", "minute"], how="semi").sort("node", "minute")
    for name in theirs.columns[2:]:
        if name.endswith(("attempts", "_share")):
            expected = theirs[name].fill_null(0) if name.endswith("attempts") else theirs[name]
            assert np.allclose(ours[name].to_numpy(), expected.to_numpy(), rtol=1e-6, equal_nan=True), name


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run() -> list[dict[str, Any]]:
    """One row: transactions per second from a Parquet file to its minutes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "transactions.parquet"
    storage.write(
        transactions(TRANSACTIONS_MADE, SEED), TRANSACTIONS, path, {COVERAGE_KEY: coverage.dump_coverage(COVERAGE)}
    )
    _compare(path)
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(_seconds(lambda: compute_minutes(pl.scan_parquet(path), COVERAGE)))
        theirs.append(_seconds(lambda: wide(pl.scan_parquet(path))))
    path.unlink()
    rate = TRANSACTIONS_MADE / statistics.median(ours)
    against = TRANSACTIONS_MADE / statistics.median(theirs)
    return [
        {
            "name": "features.transactions_per_s",
            "value": rate,
            "unit": "transactions/s",
            "against": "one Polars expression a figure",
            "ratio": rate / against,
            "runs": RUNS,
        }
    ]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
