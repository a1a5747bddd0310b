"""Normal minutes out of traffic that is mostly normal: nobody vouches for a stretch, and what stands out in it is left out.

A profile is made of medians, so that a day with a few faults in it has nearly the profile of a day without. Under it most
windows lie together; those further from their median than normal windows are from a node's normal, and all their minutes with
them, are taken away, and what is left is the node's normal. Where most of the traffic is a fault, that fault is what is left
(`cases.doubtful` may notice).
"""

from __future__ import annotations

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.calibration import normal_radius
from faultprint.embedding.model import Model
from faultprint.windows.series import Series


def remove_outliers(series: Series, chosen: BoolArray, model: Model) -> BoolArray:
    """(T,) of the minutes `chosen` (T,) those in whose windows nothing stands out; half of the windows at least count as such.

    Raises UsageError where the minutes are too few, ModelError where the model does not tell how far normal windows lie.
    """
    vectors, last = model.within(series, chosen, model.profile(series, chosen))
    far = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    odd = far > max(normal_radius(model), float(np.median(far)))
    without = chosen & ~_covered(last[odd], model.window, len(series))
    within = chosen & _covered(last[~odd], model.window, len(series))
    return next((one for one in (without, within) if np.count_nonzero(one) >= model.window), chosen)


def _covered(last: IntArray, window: int, minutes: int) -> BoolArray:
    """(minutes,) what the windows that end at `last` hold."""
    edges = np.zeros(minutes + 1, np.int64)
    np.add.at(edges, np.maximum(last - window + 1, 0), 1)
    np.add.at(edges, last + 1, -1)
    return np.cumsum(edges)[:-1] > 0
