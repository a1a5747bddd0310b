"""Summary features of a window, for systems without a network: what tree and neighbour methods are given.

Of every minute's normalised input (`windows.normalise`, the same that the encoder receives: the surprise of
the minute and of the last ten) the mean, standard deviation, maximum and last value over the window, and the
minimum, because a share of successes falls where a share of errors rises.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from faultprint.windows.levels import Kinds, Levels
from faultprint.windows.normalise import CHANNELS, normalise
from faultprint.windows.profile import Profile
from faultprint.windows.trailing import trailing_max, trailing_sum

Array = NDArray[np.float32]

SPANS: Final = (1, 10)
STATISTICS: Final = 5


def summarise(
    levels: Levels, kinds: Kinds, own: Profile, people: Profile, window: int, ends: NDArray[np.int64]
) -> Array:
    """(N, 5 · 2 · F) float32 for the windows that end at the minutes `ends`.

    `levels` has the spans SPANS, and perhaps longer ones behind them. A missing value counts as a usual one.
    """
    short = Levels(SPANS, levels.level[: len(SPANS)], levels.support[: len(SPANS)])
    minutes, features = short.level.shape[1:]
    inputs = normalise(short, kinds, own, people).reshape(minutes, len(SPANS), CHANNELS, features)
    surprise = np.ascontiguousarray(inputs[:, :, 0].reshape(minutes, -1))
    length = np.minimum(np.arange(minutes) + 1, window).astype(np.float32)[:, None]
    mean = trailing_sum(surprise, window) / length
    spread = np.sqrt(np.maximum(trailing_sum(surprise * surprise, window) / length - mean * mean, 0))
    parts = (mean, spread, trailing_max(surprise, window), -trailing_max(-surprise, window), surprise)
    return np.concatenate([part[ends] for part in parts], axis=1)
