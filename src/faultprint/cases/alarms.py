"""False alarms: the incidents that begin while all is normal."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import BoolArray, IntArray


def false_alarms(
    verdict: IntArray,
    alarming: BoolArray,
    quiet: BoolArray,
    minute_us: IntArray,
    interval_us: int,
) -> int:
    """How many incidents begin in a normal window, for one node's verdicts in order of time.

    An incident is a maximal run of one and the same alarming verdict (any but normal and warming-up; unknown counts) in
    consecutive intervals: an alarm that changes its name inside normal time is two. All arguments are (N,): `verdict`
    codes, `alarming` ones among them, `quiet` where the truth is normal, and the interval's start.
    """
    begins = np.ones(len(verdict), np.bool_)
    begins[1:] = (verdict[1:] != verdict[:-1]) | (np.diff(minute_us) != interval_us)
    return int((begins & alarming & quiet).sum())
