"""Many nodes at once, minute by minute: a new minute costs one minute's work, and thousands of nodes cost few calls.

A lane is one node. Per lane the last max(spans) minutes' values and each span's last W - span + 1 codes are kept, in rings
over time: all lanes stand at the same minute. The vectors are those of `Model.embed`, bit for bit, because every sum is
taken in the same order and ONNX Runtime gives a row the same bits in every batch of two or more; unless the rings are
compact (`keeping.Bytes`): then all but the current minute is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.baseline_table import BaselineTable
from faultprint.embedding.codecs import BufferCodec, Float32Codec, Int8Codec, Packed
from faultprint.embedding.growth import capacity, grown
from faultprint.embedding.model import ENOUGH, Model, NodeBaseline
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES, embed_parts
from faultprint.windows.levels import Levels, levels, scaled, weighted, weighted_mean
from faultprint.windows.normalise import Scale, deviations
from faultprint.windows.series import Series
from faultprint.windows.trailing import latest

T = TypeVar("T", bound=np.generic)

_CHUNK: Final = 128
"""Lanes worked on at a time: what they need stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Windows:
    """One window for each of N lanes: `vectors` (N, D) float32 minus the node's normal mean; `minutes` (N,) observed in it;
    `whole` (N,) bool: at least four fifths of it are observed. The vector of a window that is not whole means nothing."""

    vectors: Float32Array
    minutes: IntArray
    whole: BoolArray


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one minute leaves in the rings of N lanes: values `scaled` (N, F) and `codes` (N, S, H), as the rings keep them."""

    scaled: Packed
    codes: Packed


class StreamingEncoder:
    """The rings of many nodes. Minutes are numbered from the epoch in the model's intervals, and only go forward."""

    def __init__(self, model: Model, *, compact: bool = False) -> None:
        """`compact`: keep a byte a number, to which vectors are equal to about 1 in 100.

        Raises ModelError for a model that does not encode minutes.
        """
        manifest = model.manifest
        self._model = model
        self._spans, self._window = manifest.spans, manifest.window
        self._reach = tuple(self._window - span + 1 for span in self._spans)
        features, people = len(model.catalogue), model.population
        self._keeping: BufferCodec = Int8Codec(model.kinds, self._spans) if compact else Float32Codec(self._spans)
        self._normals = BaselineTable(model, people, self._keeping)
        width = model.encode(np.zeros((2, features * len(self._spans) * 2), np.float32)).shape[1] // len(self._spans)
        self._count = 0
        self._minute = -1
        self._values = np.empty((max(self._spans), 0, features), self.kept)
        self._codes = [np.empty((reach, 0, width), self.kept) for reach in self._reach]
        self._here = np.empty((self._window, 0), np.bool_)

    def __len__(self) -> int:
        return self._count

    @property
    def history(self) -> int:
        """Minutes that a window and its trailing means reach back, itself included."""
        return self._window + max(self._spans) - 1

    @property
    def kept_as(self) -> str:
        """The name of the way in which minutes are kept: what `step` gave under another cannot be put back."""
        return self._keeping.name

    @property
    def kept(self) -> np.dtype[Any]:
        """The type of what the rings keep of a value or a code."""
        return self._keeping.kept

    @property
    def code_shape(self) -> tuple[int, int]:
        """(S, H) of a minute's codes."""
        return len(self._codes), int(self._codes[0].shape[2])

    @property
    def nbytes(self) -> int:
        """Bytes that the lanes hold, room for growth included."""
        return sum(ring.nbytes for ring in (self._values, *self._codes, self._here)) + self._normals.nbytes

    def add(self, number: int) -> None:
        """So many lanes more, empty and without a normal."""
        self._count += number
        room = capacity(self._count, self._here.shape[1])
        if room > self._here.shape[1]:
            self._values = grown(self._values, 1, room, self._keeping.missing)
            self._codes = [grown(ring, 1, room, 0) for ring in self._codes]
            self._here = grown(self._here, 1, room, False)
            self._normals.grow(room)

    def advance(self, minute: int) -> None:
        """Begin the minute of this number: for every lane, minutes passed over and this one are gaps until told otherwise.

        Raises ValueError for a minute that is not after the last.
        """
        if minute <= self._minute:
            raise ValueError(f"minute {minute} does not come after minute {self._minute}")
        for passed in range(max(self._minute + 1, minute - self._window + 1), minute + 1):
            self._values[passed % len(self._values)] = self._keeping.missing
            self._here[passed % self._window] = False
            for ring in self._codes:
                ring[passed % len(ring)] = 0
        self._minute = minute

    def teach(self, lane: int, normal: NodeBaseline, recent: Series | None = None) -> None:
        """Give a lane its normal, and fill its rings from the node's last minutes, up to the current one.

        `recent`: its last `history` minutes or all there are, ending before or at the current minute.
        """
        own = self._normals.set_baseline(lane, normal)
        if recent is None:
            return
        codes = self._encode(deviations(levels(recent, self._model.kinds, self._spans), self._model.kinds, own))
        numbers = recent.minute_us // recent.interval_us
        every = scaled(recent.values, self._model.kinds)[:, None]
        values = self._keeping.values(every, numbers % len(self._values), self._normals.measure(np.array([lane])))
        codes = self._keeping.codes(codes)
        for at in np.flatnonzero(recent.observed & (numbers > self._minute - self._window)):
            self.restore(int(numbers[at]), np.array([lane]), codes[at][None], values[at])

    def step(self, lanes: IntArray, values: Float32Array) -> tuple[Windows, StepRecord]:
        """The current minute's `values` (N, F) of the lanes (N,), each of which has its normal and comes once."""
        count = len(lanes)
        vectors = np.empty((count, self._model.dimensions), np.float32)
        trace = StepRecord(np.empty(values.shape, self.kept), np.empty((count, *self.code_shape), self.kept))
        for start in range(0, count, _CHUNK):
            part = slice(start, start + _CHUNK)
            vectors[part] = self._advance_chunk(_place(lanes[part]), values[part], trace, part)
        minutes = np.count_nonzero(self._here[:, lanes], axis=0)
        return Windows(vectors, minutes, minutes >= np.ceil(ENOUGH * self._window)), trace

    def recent(self, lanes: IntArray, span: int) -> tuple[Levels, Scale]:
        """Levels (1, N, F) over the last `span` minutes, one of the model's spans, and what they are measured by."""
        if span not in self._spans:
            raise ValueError(f"{span} is none of the model's spans {self._spans}")
        slots, measure = self._slots(self._values, span), self._normals.measure(lanes)
        values = self._keeping.values_of(self._values[slots][:, lanes], slots, measure)
        amount, weight = weighted(values, self._model.kinds)
        total, events = latest(amount, np.add), latest(weight, np.add)
        level = weighted_mean(total, events, self._model.kinds)
        at = self._spans.index(span)
        own = Scale(measure.centre, measure.per_event, measure.fixed[at : at + 1])
        return Levels((span,), level[None], events[None]), own

    def lately(self, lanes: IntArray, minutes: int = SHORT_WINDOW_MINUTES) -> Float32Array:
        """(N, D) vectors of the lanes' last minutes by themselves (`embedding.recent`), minus what is normal for these; NaN
        where they cannot be judged."""
        slots, measure = self._slots(self._values, minutes)[::-1], self._normals.measure(lanes)
        values = self._keeping.values_of(self._values[np.ix_(slots, lanes)], slots, measure)
        here = self._here[np.ix_(self._slots(self._here, minutes)[::-1], lanes)]
        return embed_parts(self._model, values, here, measure) - self._normals.short_mean[lanes]

    def restore(self, minute: int, lanes: IntArray, codes: Packed, scaled: Packed | None) -> None:
        """Put back what `step` gave for an earlier minute, after `advance` to the last one known, of lanes that have their
        normal; `scaled` is not needed of minutes that no trailing mean reaches any more."""
        age = self._minute - minute
        if scaled is not None and age < len(self._values):
            self._values[minute % len(self._values), lanes] = scaled
        if age < self._window:
            self._here[minute % self._window, lanes] = True
        for i, ring in enumerate(self._codes):
            if age < len(ring):
                ring[minute % len(ring), lanes] = codes[:, i]

    def _advance_chunk(
        self, where: slice | IntArray, values: Float32Array, trace: StepRecord, part: slice
    ) -> Float32Array:
        """Encode the lanes' minute, keep it, and pool: (n, D) vectors minus normal. The minute itself counts as it is."""
        model, keeping, slots = self._model, self._keeping, self._slots(self._values, max(self._spans))
        measure, now = self._normals.measure(where), scaled(values, model.kinds)
        trace.scaled[part] = self._values[slots[0], where] = keeping.values(now[None], slots[:1], measure)[0]
        window = keeping.values_of(self._window_of(self._values, where, len(slots)), slots, measure)
        window[0] = now
        sums = weighted(window, model.kinds)
        level, support = [], []
        for span in self._spans:
            total, events = (latest(one[:span], np.add) for one in sums)
            level.append(weighted_mean(total, events, model.kinds))
            support.append(events)
        codes = self._encode(deviations(Levels(self._spans, np.stack(level), np.stack(support)), model.kinds, measure))
        trace.codes[part] = keeping.codes(codes)
        self._here[self._minute % self._window, where] = True
        for i, ring in enumerate(self._codes):
            ring[self._minute % len(ring), where] = trace.codes[part, i]
        return model.head(self._pool(where, codes)) - self._normals.mean[where]

    def _pool(self, where: slice | IntArray, now: Float32Array) -> Float32Array:
        """(n, 3 · S · H) as `embedding.pooling.pool` gives for the last minute, whose codes (n, S, H) are `now`."""
        here = self._window_of(self._here, where, self._window)
        peaks, means, last = [], [], []
        for i, (ring, reach) in enumerate(zip(self._codes, self._reach, strict=True)):
            codes = self._keeping.codes_of(self._window_of(ring, where, reach))
            codes[0] = now[:, i]
            seen = here[:reach]
            count = np.count_nonzero(seen, axis=0).astype(np.float32)[:, None]
            means.append(latest(codes, np.add) / np.maximum(count, 1))  # a gap's codes are 0
            if not seen.all():
                codes = np.where(seen[:, :, None], codes, np.float32(-np.inf))
            peaks.append(np.where(count > 0, codes.max(axis=0), np.float32(0)))
            last.append(codes[0])
        return np.concatenate([*peaks, *means, *last], axis=1)

    def _encode(self, inputs: Float32Array) -> Float32Array:
        """(n, S, H) codes; a single row is encoded twice, for alone it would come out in other bits."""
        codes = self._model.encode(inputs if len(inputs) > 1 else np.repeat(inputs, 2, axis=0))[: len(inputs)]
        return codes.reshape(len(inputs), len(self._spans), -1)

    def _slots(self, ring: npt.NDArray[np.generic], span: int) -> IntArray:
        """The places of the last `span` minutes in a ring, newest first."""
        return (self._minute - np.arange(span)) % len(ring)

    def _window_of(self, ring: npt.NDArray[T], where: slice | IntArray, span: int) -> npt.NDArray[T]:
        """(span, n, ...) the lanes' last minutes in a ring, newest first; a copy."""
        return ring[:, where][self._slots(ring, span)]


def _place(lanes: IntArray) -> slice | IntArray:
    """The lanes as a slice, where they are neighbours: no copy is made of what they have then."""
    first, last = int(lanes[0]), int(lanes[-1])
    neighbours = last - first + 1 == len(lanes) and (np.diff(lanes) == 1).all()
    return slice(first, last + 1) if neighbours else lanes
