"""Streaming: many nodes at once, minute by minute. A new minute costs one minute's work, for all nodes in few calls.

A slot is one node. Ring buffers hold, for each slot, the values of the last max(spans) minutes and the last W - span + 1
codes of each span. All slots are at the same minute. The vectors equal those of `Model.embed` bit for bit: every sum has
the same order, and ONNX Runtime gives a row the same bits in every batch of two or more rows. With quantized buffers
(`codecs.Int8Codec`), all but the current minute is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.baseline_table import BaselineTable, SlotIndex, lengthened
from faultprint.embedding.codecs import BufferCodec, Float32Codec, Int8Codec, Packed
from faultprint.embedding.model import WHOLE_WINDOW_SHARE, Model, NodeBaseline
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES, encode_short_windows
from faultprint.windows.levels import Levels, compute_levels, log_transform, weighted, weighted_mean
from faultprint.windows.normalisation import DeviationScale, normalise_by
from faultprint.windows.series import Series
from faultprint.windows.trailing import reduce_window

T = TypeVar("T", bound=np.generic)

_CHUNK: Final = 128
"""Slots encoded at a time: their data fits the processor's cache."""
_GROWTH: Final = 8
"""The buffers grow by 1/8, so that they waste little and are seldom copied."""


@dataclass(frozen=True, slots=True)
class StreamedWindows:
    """The current window of N slots.

    vectors            (N, D) float32, minus the node's mean vector; without meaning where the window is not whole
    observed_minutes   (N,) int64, observed minutes in the window
    whole              (N,) bool, True where at least four fifths of the window are observed
    """

    vectors: Float32Array
    observed_minutes: IntArray
    whole: BoolArray


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one minute adds to the buffers of N slots, packed: `values` (N, F) and `codes` (N, S, H). See `restore`."""

    values: Packed
    codes: Packed


class StreamingEncoder:
    """The ring buffers of many nodes. Minutes are numbered from 1970 in the model's intervals, and only go forward."""

    def __init__(self, model: Model, *, quantized: bool = False) -> None:
        """`quantized`: store one byte a number, which changes vectors by about 1 %.

        Raises ModelError for a model that does not encode minutes.
        """
        self._model = model
        self._spans, self._window = model.manifest.spans, model.window
        self._reaches = tuple(self._window - span + 1 for span in self._spans)
        population, features = model.population, len(model.catalogue)
        self._codec: BufferCodec = Int8Codec(model.kinds, self._spans) if quantized else Float32Codec(self._spans)
        self._baselines = BaselineTable(model, population, self._codec)
        probe = model.encoder.encode_minutes(np.zeros((2, features * len(self._spans) * 2), np.float32))
        width = probe.shape[1] // len(self._spans)
        self._count = 0
        self._minute = -1
        self._values = np.empty((max(self._spans), 0, features), self.dtype)
        self._codes = [np.empty((reach, 0, width), self.dtype) for reach in self._reaches]
        self._observed = np.empty((self._window, 0), np.bool_)

    def __len__(self) -> int:
        return self._count

    @property
    def history_minutes(self) -> int:
        """Minutes that a window and its trailing means reach back, itself included."""
        return self._window + max(self._spans) - 1

    @property
    def codec_name(self) -> str:
        """The codec's name. `restore` takes only records of the same codec."""
        return self._codec.name

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the buffered values and codes."""
        return self._codec.dtype

    @property
    def code_shape(self) -> tuple[int, int]:
        """(S, H) of a minute's codes."""
        return len(self._codes), int(self._codes[0].shape[2])

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers, room for growth included."""
        return sum(ring.nbytes for ring in (self._values, *self._codes, self._observed)) + self._baselines.nbytes

    def add_slots(self, count: int) -> None:
        """Add `count` slots, empty and without a baseline."""
        self._count += count
        capacity = self._observed.shape[1]
        if self._count > capacity:
            capacity = max(self._count, capacity + capacity // _GROWTH)
            self._values = lengthened(self._values, 1, capacity, self._codec.missing)
            self._codes = [lengthened(ring, 1, capacity, 0) for ring in self._codes]
            self._observed = lengthened(self._observed, 1, capacity, False)
            self._baselines.grow(capacity)

    def advance(self, minute: int) -> None:
        """Begin this minute. It and the minutes passed over are gaps in every slot until `step` or `restore` fills them.

        Raises ValueError for a minute that is not after the last one.
        """
        if minute <= self._minute:
            raise ValueError(f"minute {minute} does not come after minute {self._minute}")
        for number in range(max(self._minute + 1, minute - self._window + 1), minute + 1):
            self._values[number % len(self._values)] = self._codec.missing
            self._observed[number % self._window] = False
            for ring in self._codes:
                ring[number % len(ring)] = 0
        self._minute = minute

    def set_baseline(self, slot: int, baseline: NodeBaseline, recent: Series | None = None) -> None:
        """Give a slot its baseline, and fill its buffers from the node's last minutes.

        `recent`: its last `history_minutes`, or as many as there are. They must not end after the current minute.
        """
        scale = self._baselines.set_baseline(slot, baseline)
        if recent is None:
            return
        self.clear(slot)
        kinds = self._model.kinds
        codes = self._encode(normalise_by(compute_levels(recent, kinds, self._spans), kinds, scale))
        numbers = recent.minute_us // recent.interval_us
        transformed = log_transform(recent.values, kinds)[:, None]
        slots = np.array([slot])
        values = self._codec.encode_values(transformed, numbers % len(self._values), self._baselines.scale(slots))
        packed = self._codec.encode_codes(codes)
        for index in np.flatnonzero(recent.observed & (numbers > self._minute - self._window)):
            self.restore(int(numbers[index]), slots, packed[index][None], values[index])

    def clear(self, slot: int) -> None:
        """Empty the buffers of a slot, as if its node had never been observed."""
        self._values[:, slot] = self._codec.missing
        self._observed[:, slot] = False
        for ring in self._codes:
            ring[:, slot] = 0

    def step(self, slots: IntArray, values: Float32Array) -> tuple[StreamedWindows, StepRecord]:
        """Add the current minute's `values` (N, F) of the slots (N,). Each slot has a baseline and occurs once.

        Returns the windows that end with this minute, and what `restore` needs to repeat the step.
        """
        count = len(slots)
        vectors = np.empty((count, self._model.dimensions), np.float32)
        record = StepRecord(np.empty(values.shape, self.dtype), np.empty((count, *self.code_shape), self.dtype))
        for start in range(0, count, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            vectors[chunk] = self._step_chunk(_as_slice(slots[chunk]), values[chunk], record, chunk)
        minutes = np.count_nonzero(self._observed[:, slots], axis=0)
        return StreamedWindows(vectors, minutes, minutes >= np.ceil(WHOLE_WINDOW_SHARE * self._window)), record

    def restore(self, minute: int, slots: IntArray, codes: Packed, values: Packed | None) -> None:
        """Put back the record of a `step` of an earlier minute. Call `advance` to the last minute first.

        The slots must have their baselines. `values` may be None for a minute that no trailing mean reaches any more.
        """
        age = self._minute - minute
        if values is not None and age < len(self._values):
            self._values[minute % len(self._values), slots] = values
        if age < self._window:
            self._observed[minute % self._window, slots] = True
        for i, ring in enumerate(self._codes):
            if age < len(ring):
                ring[minute % len(ring), slots] = codes[:, i]

    def recent_levels(self, slots: IntArray, span: int) -> tuple[Levels, DeviationScale]:
        """Levels (1, N, F) over the last `span` minutes, and their deviation scale. Raises ValueError for another span."""
        if span not in self._spans:
            raise ValueError(f"{span} is none of the model's spans {self._spans}")
        positions, scale = self._positions(self._values, span), self._baselines.scale(slots)
        values = self._codec.decode_values(self._values[positions][:, slots], positions, scale)
        amount, weight = weighted(values, self._model.kinds)
        total, events = reduce_window(amount, np.add), reduce_window(weight, np.add)
        level = weighted_mean(total, events, self._model.kinds)
        index = self._spans.index(span)
        span_scale = DeviationScale(scale.centre, scale.per_event, scale.fixed[index : index + 1])
        return Levels((span,), level[None], events[None]), span_scale

    def short_embeddings(self, slots: IntArray, minutes: int = SHORT_WINDOW_MINUTES) -> Float32Array:
        """(N, D) vectors of the slots' last minutes (`embedding.short_window`), minus the baseline's short mean.

        NaN where too few minutes are observed, or the baseline has no short mean.
        """
        positions, scale = self._positions(self._values, minutes)[::-1], self._baselines.scale(slots)
        values = self._codec.decode_values(self._values[np.ix_(positions, slots)], positions, scale)
        observed = self._observed[np.ix_(self._positions(self._observed, minutes)[::-1], slots)]
        vectors = encode_short_windows(self._model.encoder, values, observed, scale)
        return vectors - self._baselines.short_mean[slots]

    def _step_chunk(self, slots: SlotIndex, values: Float32Array, record: StepRecord, chunk: slice) -> Float32Array:
        """Encode the minute of some slots, buffer it, and pool: (n, D) vectors minus the mean.

        The current minute itself enters unrounded.
        """
        model, codec, positions = self._model, self._codec, self._positions(self._values, max(self._spans))
        scale, current = self._baselines.scale(slots), log_transform(values, model.kinds)
        packed = codec.encode_values(current[None], positions[:1], scale)[0]
        record.values[chunk] = self._values[positions[0], slots] = packed
        window = codec.decode_values(self._last(self._values, slots, len(positions)), positions, scale)
        window[0] = current
        amount, weight = weighted(window, model.kinds)
        level, event_count = [], []
        for span in self._spans:
            total, events = reduce_window(amount[:span], np.add), reduce_window(weight[:span], np.add)
            level.append(weighted_mean(total, events, model.kinds))
            event_count.append(events)
        levels = Levels(self._spans, np.stack(level), np.stack(event_count))
        codes = self._encode(normalise_by(levels, model.kinds, scale))
        record.codes[chunk] = codec.encode_codes(codes)
        self._observed[self._minute % self._window, slots] = True
        for i, ring in enumerate(self._codes):
            ring[self._minute % len(ring), slots] = record.codes[chunk, i]
        return model.encoder.apply_head(self._pool(slots, codes)) - self._baselines.mean[slots]

    def _pool(self, slots: SlotIndex, current: Float32Array) -> Float32Array:
        """(n, 3 · S · H) as `embedding.pooling.pool` for the last minute, whose codes (n, S, H) are `current`."""
        observed = self._last(self._observed, slots, self._window)
        peaks, means, last = [], [], []
        for i, (ring, reach) in enumerate(zip(self._codes, self._reaches, strict=True)):
            codes = self._codec.decode_codes(self._last(ring, slots, reach))
            codes[0] = current[:, i]
            seen = observed[:reach]
            count = np.count_nonzero(seen, axis=0).astype(np.float32)[:, None]
            means.append(reduce_window(codes, np.add) / np.maximum(count, 1))  # A gap's codes are 0.
            if not seen.all():
                codes = np.where(seen[:, :, None], codes, np.float32(-np.inf))
            peaks.append(np.where(count > 0, codes.max(axis=0), np.float32(0)))
            last.append(codes[0])
        return np.concatenate([*peaks, *means, *last], axis=1)

    def _encode(self, inputs: Float32Array) -> Float32Array:
        """(n, S, H) codes. A single row is encoded twice, because a batch of one row gives other bits."""
        batch = inputs if len(inputs) > 1 else np.repeat(inputs, 2, axis=0)
        codes = self._model.encoder.encode_minutes(batch)[: len(inputs)]
        return codes.reshape(len(inputs), len(self._spans), -1)

    def _positions(self, ring: npt.NDArray[np.generic], span: int) -> IntArray:
        """The positions of the last `span` minutes in a ring, newest first."""
        return (self._minute - np.arange(span)) % len(ring)

    def _last(self, ring: npt.NDArray[T], slots: SlotIndex, span: int) -> npt.NDArray[T]:
        """(span, n, ...) the last minutes of these slots in a ring, newest first; a copy."""
        return ring[:, slots][self._positions(ring, span)]


def _as_slice(slots: IntArray) -> SlotIndex:
    """The slots as a slice where they are consecutive, so that indexing copies nothing."""
    first, last = int(slots[0]), int(slots[-1])
    consecutive = last - first + 1 == len(slots) and (np.diff(slots) == 1).all()
    return slice(first, last + 1) if consecutive else slots
