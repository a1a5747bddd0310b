"""A trained model at work: minutes of a node in, one vector a minute out. Needs numpy and ONNX Runtime, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.model_file import ModelArtifact, Manifest, read
from faultprint.embedding.pooling import pool
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES, embed_short_windows
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import Catalogue
from faultprint.windows.levels import Kinds, Levels, levels
from faultprint.windows.normalise import normalise, raw
from faultprint.windows.profile import LEAST_MINUTES, Profile, profile
from faultprint.windows.rolling import rolling
from faultprint.windows.series import Series

ENOUGH: Final = 0.8
"""Share of a window's minutes that must be observed for its vector to count as whole."""
SHORTEST: Final = 10
"""Observed minutes below which there is no vector at all."""
SHORTEST_OF_NORMAL: Final = 30
"""Observed minutes that a window of the normal stretch has at least when its mean vector is formed."""
_BLOCK: Final = 4096
"""Minutes normalised and encoded at a time: bounds the memory, not the result."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of windows, in order of time.

    `vectors` (N, D) float32; `last_minute` (N,) int64 index into the series of each window's last minute; `minutes` (N,)
    int16 observed minutes in it; `partial` (N,) bool, True where these are fewer than four fifths of a window.
    """

    vectors: Float32Array
    last_minute: IntArray
    minutes: npt.NDArray[np.int16]
    partial: BoolArray

    def __len__(self) -> int:
        return len(self.last_minute)


@dataclass(frozen=True, slots=True)
class NodeBaseline:
    """What is normal for a node: its traffic's profile, the mean vector (D,) of its normal windows, and that of a few normal
    minutes by themselves (`embedding.recent`), None where these cannot be judged."""

    profile: Profile
    mean: Float32Array
    short_mean: Float32Array | None = None


class Model:
    """An artefact, ready to run. Threads: one, so that many nodes share a machine by processes."""

    def __init__(self, artefact: ModelArtifact, threads: int = 1) -> None:
        """Raises ModelError if a graph cannot be run, or does not have the manifest's shapes."""
        self.manifest: Manifest = artefact.manifest
        self.id: str = artefact.id
        self.kinds: Kinds = Kinds.of(artefact.manifest.catalogue)
        self._graphs = {name: _session(name, graph, threads) for name, graph in artefact.graphs.items()}
        found = [session.get_outputs()[0].shape[-1] for session in self._graphs.values()][-1]
        if found != self.dimensions:
            raise ModelError(
                f"The model's graph gives {found!r} dimensions, its manifest {self.dimensions}; train it anew."
            )

    @property
    def dimensions(self) -> int:
        """D, the length of a vector."""
        return self.manifest.dimensions

    @property
    def window(self) -> int:
        """W, minutes of a window."""
        return self.manifest.window

    @property
    def catalogue(self) -> Catalogue:
        """The features that a series must have, in order."""
        return self.manifest.catalogue

    @property
    def population(self) -> Profile:
        """The population on whose spread a minute encoder's input leans. Raises ModelError where whole windows are read."""
        if self.manifest.encoder != "pooled" or self.manifest.population is None:
            raise ModelError(
                f"The model's encoder {self.manifest.encoder!r} reads whole windows, but what is asked of it needs one that "
                "encodes minutes; train the preset 'default'."
            )
        return self.manifest.population

    @property
    def population_baseline(self) -> NodeBaseline:
        """What is normal for a node of which nothing is known. Raises ModelError where the model does not tell."""
        found, people = self.manifest.population_baseline, self.manifest.population
        if found is None or people is None:
            raise ModelError(
                "The model does not tell what is normal for a node of which nothing is known; train the preset 'default' anew."
            )
        return NodeBaseline(people, found.mean, found.short_mean)

    def check(self, series: Series) -> None:
        """Raise ModelError unless the series has the model's features and interval."""
        if series.names != self.catalogue.names:
            raise ModelError(
                f"The minutes of node {series.node!r} do not follow catalogue {self.catalogue.name!r} in which the model was "
                "trained; make them with it."
            )
        if series.interval_us != self.manifest.interval_us:
            raise ModelError(
                f"The minutes of node {series.node!r} last {series.interval_us} µs, the model's {self.manifest.interval_us} µs; "
                "make them with the model's interval."
            )

    def profile(self, series: Series, normal: BoolArray | None = None, least: int = LEAST_MINUTES) -> Profile:
        """The node's profile from its minutes `normal` ((T,) bool; default: all), gaps left out.

        Raises ModelError (other minutes than the model's) or UsageError (fewer than `least` minutes).
        """
        self.check(series)
        chosen = series.observed if normal is None else series.observed & normal
        there = np.flatnonzero(chosen)
        if len(there):  # of these minutes only: a node may have months of others
            first, last = int(there[0]), int(there[-1]) + 1
            series, chosen = series.part(first, last), chosen[first:last]
        return profile(self._levels(series, (1,)), self.kinds, chosen, least)

    def embed(
        self,
        series: Series,
        profile: Profile,
        *,
        ends: IntArray | None = None,
        shortest: int | None = None,
    ) -> Embedded:
        """The vectors of the windows that end at minutes `ends` (ascending indices; default: every minute).

        A window that ends in a gap, or that holds fewer observed minutes than `shortest` (default: four fifths of a window;
        at least SHORTEST), has none and is left out. Raises ModelError for other minutes than the model's.
        """
        self.check(series)
        enough = int(np.ceil(ENOUGH * self.window))
        least = enough if shortest is None else max(shortest, min(SHORTEST, self.window))
        total = np.concatenate(([0], np.cumsum(series.observed)))
        minutes = total[1:] - total[np.maximum(np.arange(len(series)) - self.window + 1, 0)]
        wanted = np.arange(len(series)) if ends is None else np.asarray(ends, dtype=np.int64)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < len(series)):
            raise UsageError(
                f"Windows must end within the {len(series)} minutes of node {series.node!r}; give other ends."
            )
        wanted = wanted[series.observed[wanted] & (minutes[wanted] >= least)]
        run = self._pooled if self.manifest.encoder == "pooled" else self._recurrent
        vectors = np.empty((len(wanted), self.dimensions), dtype=np.float32)
        done = 0
        for part in run(series, profile, wanted):
            vectors[done : done + len(part)] = part
            done += len(part)
        count = minutes[wanted].astype(np.int16)
        return Embedded(vectors, wanted, count, count < enough)

    def baseline(self, series: Series, chosen: BoolArray | None = None, least: int = LEAST_MINUTES) -> NodeBaseline:
        """Profile and mean vector from the minutes `chosen` ((T,) bool, known to be normal; default: all).

        Windows lie wholly within one unbroken normal stretch. An hour holds a single whole window, so windows with 30
        minutes of history count too (with less than that, what there is). Raises as `profile` does.
        """
        normal = np.ones(len(series), dtype=np.bool_) if chosen is None else chosen
        own = self.profile(series, normal, least)
        runs = [run for _, run in _runs(series, normal)]
        return NodeBaseline(own, self.mean(series, normal, own), self._recent(runs, own))

    def mean(self, series: Series, chosen: BoolArray, profile: Profile) -> Float32Array:
        """(D,) the mean vector of the windows `within` the minutes `chosen` (T,), under any profile. Raises UsageError."""
        vectors, _ = self.within(series, chosen, profile)
        return np.asarray(vectors.mean(axis=0, dtype=np.float64), np.float32)

    def within(self, series: Series, chosen: BoolArray, profile: Profile) -> tuple[Float32Array, IntArray]:
        """The windows that lie within the minutes `chosen` (T,), as `normal` takes them: vectors (N, D) and last minutes (N,).

        Raises UsageError if there is none.
        """
        runs = _runs(series, chosen)
        for shortest in (SHORTEST_OF_NORMAL, SHORTEST, 1):
            embedded = [(start, self.embed(run, profile, shortest=shortest)) for start, run in runs]
            if any(len(one) for _, one in embedded):
                last = np.concatenate([start + one.last_minute for start, one in embedded])
                return np.concatenate([one.vectors for _, one in embedded]), last
        raise UsageError(
            f"No stretch of node {series.node!r}'s normal traffic lasts {SHORTEST} minutes; mark a longer one as normal."
        )

    def _recent(self, runs: Sequence[Series], own: Profile) -> Float32Array | None:
        """The mean vector of as many minutes as are recent, within one run of normal ones each."""
        if self.manifest.encoder != "pooled":
            return None
        found = [
            embed_short_windows(self, run, own, np.arange(min(SHORT_WINDOW_MINUTES, len(run)) - 1, len(run)))
            for run in runs
        ]
        vectors = np.concatenate(found)
        known = vectors[~np.isnan(vectors[:, 0])]
        return known.mean(axis=0, dtype=np.float64).astype(np.float32) if len(known) else None

    def encode(self, inputs: Float32Array) -> Float32Array:
        """(N, S · H) codes of minutes' inputs (N, S · 2 · F), where the encoder is "pooled"."""
        return self._run("minute.onnx", inputs)

    def head(self, pooled: Float32Array) -> Float32Array:
        """(N, D) vectors of windows' pooled codes (N, 3 · S · H), where the encoder is "pooled"."""
        return self._run("head.onnx", pooled)

    def _levels(self, series: Series, spans: tuple[int, ...]) -> Levels:
        return levels(series, self.kinds, spans)

    def _pooled(self, series: Series, own: Profile, ends: IntArray) -> Iterator[Float32Array]:
        """Encode every minute once, pool, and run the head; block by block, each with the history that it needs."""
        people = self.population
        spans, window = self.manifest.spans, self.window
        for start in range(0, len(series), _BLOCK):
            chosen = ends[(ends >= start) & (ends < start + _BLOCK)]
            if not len(chosen):
                continue
            # The window's first minute, and the trailing mean that reaches to it.
            begin = max(int(chosen[0]) - window - max(spans) + 2, 0)
            part = series.part(begin, int(chosen[-1]) + 1)
            inputs = normalise(self._levels(part, spans), self.kinds, own, people)
            codes = self.encode(inputs).reshape(len(part), len(spans), -1)
            pooled = pool(codes, part.observed, spans, window)
            yield self.head(np.ascontiguousarray(pooled[chosen - begin]))

    def _recurrent(self, series: Series, own: Profile, ends: IntArray) -> Iterator[Float32Array]:
        """Run every window through the network; those at the start of the series with what history there is."""
        values = raw(series.values)
        for end in ends[ends < self.window - 1]:
            yield self._run("window.onnx", values[None, : end + 1])
        for _, windows in rolling(values, self.window, ends=ends[ends >= self.window - 1], batch=64):
            yield self._run("window.onnx", windows)

    def _run(self, graph: str, inputs: Float32Array) -> Float32Array:
        session = self._graphs[graph]
        result: Any = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        return np.asarray(result, dtype=np.float32)


def load_model(path: Path, threads: int = 1) -> Model:
    """The model in the file `path`. Raises ModelError for anything that is not one."""
    return Model(read(path), threads)


def _runs(series: Series, chosen: BoolArray) -> list[tuple[int, Series]]:
    """The unbroken stretches of the minutes `chosen` (T,), each with its first minute's index."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])))).tolist()
    return [(start, series.part(start, stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _session(name: str, graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class below this
        raise ModelError(
            f"The model's {name} cannot be run ({str(error).splitlines()[0][:120]}); train it anew."
        ) from None
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise ModelError(f"The model's {name} must have one input and one output; train it anew.")
    return session
