"""What a node's minutes hold, without any model: requests, outcomes and delays of each operation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.features.wording import OPERATIONS
from faultprint.windows.series import Series


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


def heard_operations(series: Series) -> list[HeardOperation]:
    """The operations that the node had requests of, the busiest first; none for another catalogue than `sip`."""
    found = []
    columns = {name: index for index, name in enumerate(series.names)}
    for operation, words in OPERATIONS.items():
        if f"{operation}.attempts" not in columns:
            continue
        values = {
            statistic: series.values[:, columns[f"{operation}.{statistic}"]]
            for statistic in ("attempts", "success_share", "timeout_share", "server_error_share", "delay_p95")
        }
        attempts = np.nan_to_num(values["attempts"])
        delays = values["delay_p95"][~np.isnan(values["delay_p95"])]
        if attempts.sum():
            success, timeout, server_error = (
                _mean(values[name], attempts) for name in ("success_share", "timeout_share", "server_error_share")
            )
            delay = float(delays.max()) if len(delays) else None
            found.append(HeardOperation(words, int(attempts.sum()), success, timeout, server_error, delay))
    return sorted(found, key=lambda each: -each.attempts)


def _mean(values: Float32Array, weights: Float32Array) -> float | None:
    known = ~np.isnan(values)
    weight = np.maximum(weights[known], 1)
    return float(np.average(values[known], weights=weight)) if known.any() else None
