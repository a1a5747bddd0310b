"""The running mean of weights that is scored and shipped: it is steadier than any one step's."""

from __future__ import annotations

from typing import Final

from torch import Tensor

AVERAGING: Final = 0.99
"""What a step keeps of the mean so far."""
_EARLY: Final = 4.0


def ema(mean: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
    """An exponential mean whose memory grows with the steps made, so that first weights are soon forgotten."""
    weight = max(1 - AVERAGING, _EARLY / (_EARLY + float(steps)))
    return mean + weight * (now - mean)
