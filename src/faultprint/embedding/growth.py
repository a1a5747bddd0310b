"""Arrays with room for more lanes."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=np.generic)

_ROOM: Final = 8
"""One lane in so many more is made room for: what is never used costs little, and little is copied again and again."""


def capacity(wanted: int, now: int) -> int:
    """Lanes to make room for where there is room for `now`, and `wanted` there are."""
    return now if wanted <= now else max(wanted, now + now // _ROOM)


def grown(array: npt.NDArray[T], axis: int, length: int, fill: object) -> npt.NDArray[T]:
    """A copy with `axis` as long as that, what is new filled."""
    shape = list(array.shape)
    shape[axis] = length
    result = np.full(shape, fill, array.dtype)
    result[tuple(slice(size) for size in array.shape)] = array
    return result
