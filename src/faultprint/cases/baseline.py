"""Which minutes are taken as a node's normal where nobody names a stretch: its first, unless these look like a fault.

    minutes observed   look like a fault   then
    the first N        no                  they are the node's normal
                       yes                 it is said, and the next N are looked at
    the TRIES-th N     yes                 it is said, and they are taken all the same: a node may be odd, and be right
    any N              too full of gaps    the next N are looked at

Until then the node is warming-up. The monitor does the same as minutes come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray
from faultprint.cases.baseline_check import check_baseline
from faultprint.cases.centering import first_minutes
from faultprint.cases.matching import Matcher
from faultprint.cases.outliers import remove_outliers
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.windows.series import Series

MAX_ATTEMPTS: Final = 3
"""How often minutes are looked at; the last are taken whatever they look like."""

OnSuspect = Callable[[str, str], None]
"""doubt(node, condition): minutes that were to be taken as the node's normal look like that fault."""


def select_minutes(
    series: Series, minutes: BoolArray, model: Model, matcher: Matcher, *, vouched: bool
) -> tuple[BoolArray, str | None]:
    """Of the `minutes` (T,) those to take as normal (not `vouched` for, they are sifted), and the fault that they look like.

    Raises UsageError where they are too few, or too few of them in a row.
    """
    chosen = minutes if vouched else remove_outliers(series, minutes, model)
    return chosen, check_baseline(series, chosen, model, matcher)


def select_first(
    series: Series, number: int, model: Model, matcher: Matcher, *, vouched: bool, doubt: OnSuspect
) -> tuple[BoolArray, int]:
    """(T,) the minutes taken as the node's normal, `number` of those observed at a time, and the index of the first after them.

    Where all that are there look like a fault, that index is beyond the series. Raises UsageError where there are not so many,
    or none of them in a row.
    """
    seen, looked, found = int(np.count_nonzero(series.observed)), 0, None
    for before in range(0, max(seen - number, 0) + 1, number):
        minutes = first_minutes(series, number, before)
        try:
            chosen, fault = select_minutes(series, minutes, model, matcher, vouched=vouched)
        except UsageError:
            if found is None and before + 2 * number > seen:
                raise
            continue
        looked, found = looked + 1, chosen
        if fault:
            doubt(series.node, fault)
        if not fault or looked == MAX_ATTEMPTS:
            return chosen, int(np.flatnonzero(minutes)[-1]) + 1
    assert found is not None  # or the last attempt would have been raised
    return found, len(series)
