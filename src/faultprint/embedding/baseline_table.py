"""What is normal for each lane, laid out for many at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from faultprint.embedding.codecs import Keeping
from faultprint.embedding.growth import grown
from faultprint.embedding.model import Model, Normal
from faultprint.windows.normalise import Scale, scale
from faultprint.windows.profile import Profile

Array = npt.NDArray[np.float32]
Where = slice | npt.NDArray[np.int64]


class Normals:
    """By lane: the scale, and the mean vectors of windows, `mean`, and of recent minutes, `usual` (NaN: there is none)."""

    def __init__(self, model: Model, people: Profile, keeping: Keeping) -> None:
        """`people`: the population on whose spread the model's inputs lean."""
        self._model, self._people, self._keeping = model, people, keeping
        features = len(model.catalogue)
        self._centre = np.empty((0, features), np.float32)
        self._variances = np.empty((keeping.variances, 0, features), keeping.measured)
        self.mean, self.usual = np.empty((2, 0, model.dimensions), np.float32)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._centre, self._variances, self.mean, self.usual))

    def grow(self, length: int) -> None:
        """Make room for so many lanes."""
        self._variances = grown(self._variances, 1, length, 0)
        self._centre, self.mean, self.usual = (
            grown(array, 0, length, 0) for array in (self._centre, self.mean, self.usual)
        )

    def teach(self, lane: int, normal: Normal) -> Scale:
        """Give a lane its normal; the scale that it is measured by, before it was packed."""
        own = scale(normal.profile, self._people, self._model.kinds, self._model.manifest.spans)
        self._centre[lane], self._variances[:, lane] = own.centre, self._keeping.variances_in(own)
        self.mean[lane] = normal.mean
        self.usual[lane] = np.nan if normal.recent is None else normal.recent
        return own

    def measure(self, where: Where) -> Scale:
        """What the lanes' departures are measured by."""
        return self._keeping.scale_of(self._centre[where], self._variances[:, where])
