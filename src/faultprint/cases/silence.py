"""Silence: the probe listens to a node, but no request starts there any more.

The test counts the requests that start in each minute. If requests go on as before, their number in the next k minutes is
negative binomial: a Poisson count whose rate was estimated from M minutes, with the dispersion of those minutes. So k
minutes without a request have the probability

    (M / (M + k)) ^ (SHARE · requests in M minutes / dispersion)

SHARE leaves room for traffic that falls as it does at dusk. A busy node is silent after one or two minutes, an idle one
after hours. A node that was never heard is silent after FIRST_MINUTES.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.windows.series import Series

MEMORY: Final = 32
"""Minutes whose requests count; older ones fade."""
SHARE: Final = 0.5
"""The rate may fall to this share of itself without being a fault."""
MAX_PROBABILITY: Final = 1e-5
"""A pause of lower probability is silence."""
MIN_DISPERSION: Final = 2.0
"""Least variance of the requests a minute, in units of their mean: registrations and calls take several requests."""
FIRST_MINUTES: Final = 3
"""A node that was never heard is silent after this many minutes."""
_FEW_MINUTES, _LONG_PAUSE = 5, 60
"""With traffic in fewer minutes the dispersion is not known, so that only a long pause (minutes) is silence."""
_SCALE: Final = 1 << 16
_MAX_REQUESTS: Final = 1_000_000
_REQUESTS: Final = ".attempts"
"""The end of the names of features that count requests."""

N = TypeVar("N", int, IntArray)


class RequestHistory(NamedTuple, Generic[N]):
    """The requests of one node (int), or of N nodes ((N,) int64 each).

    request_rate     mean number of requests a minute, in units of 1/65536
    request_square   mean of its square, in the same units
    rate_minutes     minutes behind the means, at most MEMORY; 0 for a node that was never heard
    pause_minutes    minutes without a request, up to now
    silent           1 if these are silence
    """

    request_rate: N
    request_square: N
    rate_minutes: N
    pause_minutes: N
    silent: N


def advance(history: RequestHistory[N], requests: N) -> RequestHistory[N]:
    """The history after another minute; `silent` is still that of the minute before.

    The minutes of a pause join the means when it ends, unless it was silence, which must not become normal. The same
    integer arithmetic serves one node and many, so that both give the same.
    """
    rate, square, minutes, pause, silent = history
    busy = (requests > 0) * 1
    total = minutes + pause * busy * (1 - silent)
    divisor = total + (total == 0) * 1
    rate, square = rate * minutes // divisor, square * minutes // divisor
    over = (total > MEMORY) * 1
    minutes = total * (1 - over) + MEMORY * over
    weight = minutes + (minutes < MEMORY) * 1
    rate = rate + busy * ((requests * _SCALE - rate) // weight)
    square = square + busy * ((requests * requests * _SCALE - square) // weight)
    return RequestHistory(rate, square, minutes + busy * (minutes < MEMORY), (pause + 1) * (1 - busy), silent)


def is_silent(history: RequestHistory[IntArray]) -> BoolArray:
    """(N,) whether the present pause of each node is silence."""
    rate, square, minutes, pause, _ = history
    mean = np.maximum(rate, 1) / _SCALE
    heard = np.maximum(minutes, 1)
    dispersion = np.maximum((square / _SCALE - mean * mean) / mean, MIN_DISPERSION)
    log_probability = -SHARE * mean * heard / dispersion * np.log1p(pause / heard)
    expected = np.where(minutes < _FEW_MINUTES, pause >= _LONG_PAUSE, log_probability < math.log(MAX_PROBABILITY))
    silent: BoolArray = (pause > 0) & np.where(minutes == 0, pause >= FIRST_MINUTES, expected)
    return silent


def request_columns(names: Sequence[str]) -> IntArray:
    """The indices of the features that count requests; none in a catalogue of other measurements, which has no silence."""
    return np.flatnonzero([name.endswith(_REQUESTS) for name in names])


def request_counts(values: Float32Array, columns: IntArray) -> IntArray:
    """(T,) requests that start in each minute of `values` (T, F)."""
    sums = np.nan_to_num(values[:, columns], posinf=_MAX_REQUESTS).sum(axis=1, dtype=np.float64)
    counts: IntArray = np.clip(np.rint(sums), 0, _MAX_REQUESTS).astype(np.int64)
    return counts


def silent_minutes(series: Series) -> BoolArray:
    """(N,) whether the node is silent in each of its N observed minutes."""
    columns = request_columns(series.names)
    result = np.zeros(int(np.count_nonzero(series.observed)), np.bool_)
    if not len(columns):
        return result
    history = RequestHistory(0, 0, 0, 0, 0)
    for minute, requests in enumerate(request_counts(series.values[series.observed], columns).tolist()):
        history = advance(history, requests)
        silent = not requests and bool(is_silent(RequestHistory(*(np.array([number]) for number in history)))[0])
        history = history._replace(silent=int(silent))
        result[minute] = silent
    return result


def has_requests(series: Series, minutes: BoolArray) -> bool:
    """Whether a request starts in any of the `minutes` (T,); true for a catalogue that does not count requests."""
    columns = request_columns(series.names)
    return not len(columns) or bool(request_counts(series.values[minutes], columns).any())
