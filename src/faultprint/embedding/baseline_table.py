"""What is normal for each lane, laid out for many at once."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import IntArray
from faultprint.embedding.codecs import BufferCodec
from faultprint.embedding.growth import grown
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.windows.normalise import Scale, scale
from faultprint.windows.profile import Profile

Where = slice | IntArray


class BaselineTable:
    """By lane: the scale, and the mean vectors of windows, `mean`, and of recent minutes, `usual` (NaN: there is none)."""

    def __init__(self, model: Model, people: Profile, keeping: BufferCodec) -> None:
        """`people`: the population on whose spread the model's inputs lean."""
        self._model, self._people, self._keeping = model, people, keeping
        features = len(model.catalogue)
        self._centre = np.empty((0, features), np.float32)
        self._variances = np.empty((keeping.variances, 0, features), keeping.measured)
        self.mean, self.short_mean = np.empty((2, 0, model.dimensions), np.float32)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._centre, self._variances, self.mean, self.short_mean))

    def grow(self, length: int) -> None:
        """Make room for so many lanes."""
        self._variances = grown(self._variances, 1, length, 0)
        self._centre, self.mean, self.short_mean = (
            grown(array, 0, length, 0) for array in (self._centre, self.mean, self.short_mean)
        )

    def set_baseline(self, lane: int, normal: NodeBaseline) -> Scale:
        """Give a lane its normal; the scale that it is measured by, before it was packed."""
        own = scale(normal.profile, self._people, self._model.kinds, self._model.manifest.spans)
        self._centre[lane], self._variances[:, lane] = own.centre, self._keeping.variances_in(own)
        self.mean[lane] = normal.mean
        self.short_mean[lane] = np.nan if normal.short_mean is None else normal.short_mean
        return own

    def measure(self, where: Where) -> Scale:
        """What the lanes' departures are measured by."""
        return self._keeping.scale_of(self._centre[where], self._variances[:, where])
