"""A trained model: minutes of a node in, one vector a minute out. Needs NumPy and ONNX Runtime, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.encoder import OnnxEncoder
from faultprint.embedding.model_file import Manifest, ModelArtifact, read_artifact
from faultprint.embedding.pooling import pool
from faultprint.embedding.short_window import SHORT_WINDOW_MINUTES, embed_short_windows
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import Catalogue
from faultprint.windows.levels import FeatureKinds, compute_levels
from faultprint.windows.normalisation import fill_missing, normalise
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile, build_profile
from faultprint.windows.rolling import rolling_windows
from faultprint.windows.series import Series

WHOLE_WINDOW_SHARE: Final = 0.8
"""Share of a window's minutes that must be observed for a whole window."""
MIN_WINDOW_MINUTES: Final = 10
"""Fewest observed minutes of a window that has a vector."""
MIN_BASELINE_WINDOW_MINUTES: Final = 30
"""Fewest observed minutes of a window that counts for a baseline's mean vector, where there are such windows."""
BLOCK_MINUTES: Final = 4096
"""Minutes normalised and encoded at a time. It bounds the memory and does not change the result."""


@dataclass(frozen=True, slots=True)
class WindowEmbeddings:
    """Vectors of N windows, in order of time.

    vectors            (N, D) float32
    last_minute        (N,) int64, index into the series of each window's last minute
    observed_minutes   (N,) int16, observed minutes in the window
    partial            (N,) bool, True where fewer than four fifths of the window are observed
    """

    vectors: Float32Array
    last_minute: IntArray
    observed_minutes: npt.NDArray[np.int16]
    partial: BoolArray

    def __len__(self) -> int:
        return len(self.last_minute)


@dataclass(frozen=True, slots=True)
class NodeBaseline:
    """The normal traffic of one node.

    profile      profile of its features
    mean         (D,) mean vector of its normal windows
    short_mean   (D,) mean vector of its normal short windows (`embedding.short_window`); None where there is none
    """

    profile: Profile
    mean: Float32Array
    short_mean: Float32Array | None = None


class Model:
    """A model artifact, ready to embed. It runs in one thread by default: many nodes share a machine by processes."""

    def __init__(self, artifact: ModelArtifact, threads: int = 1) -> None:
        """`threads`: CPU threads of one call. Raises ModelError for a graph that cannot run or has other shapes."""
        self.encoder = OnnxEncoder(artifact, threads)
        self.manifest: Manifest = artifact.manifest
        self.id: str = artifact.id
        self.kinds: FeatureKinds = self.encoder.kinds

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
        """The population's profile. Raises ModelError for a model that reads whole windows."""
        return self.encoder.population

    @property
    def population_baseline(self) -> NodeBaseline:
        """The baseline of a node without history. Raises ModelError for a model that has none."""
        baseline, population = self.manifest.population_baseline, self.manifest.population
        if baseline is None or population is None:
            raise ModelError(
                "The model has no population baseline, which nodes without history need; "
                "train the preset 'default' with this version."
            )
        return NodeBaseline(population, baseline.mean, baseline.short_mean)

    def check_series(self, series: Series) -> None:
        """Raise ModelError unless the series has the model's features and interval."""
        if series.names != self.catalogue.names:
            raise ModelError(
                f"The minutes of node {series.node!r} do not follow the model's catalogue {self.catalogue.name!r}; "
                "compute them with that catalogue."
            )
        if series.interval_us != self.manifest.interval_us:
            raise ModelError(
                f"The minutes of node {series.node!r} last {series.interval_us} µs, the model's {self.manifest.interval_us} µs; "
                "compute them with the model's interval."
            )

    def profile(
        self, series: Series, selected: BoolArray | None = None, min_minutes: int = MIN_PROFILE_MINUTES
    ) -> Profile:
        """The profile of the observed minutes among `selected` ((T,) bool; default: all).

        Raises ModelError (minutes that do not fit the model) or UsageError (fewer than `min_minutes` minutes).
        """
        self.check_series(series)
        minutes = series.observed if selected is None else series.observed & selected
        indices = np.flatnonzero(minutes)
        if len(indices):  # Only the part in use: a node may have months of other minutes.
            start, stop = int(indices[0]), int(indices[-1]) + 1
            series, minutes = series.slice(start, stop), minutes[start:stop]
        return build_profile(compute_levels(series, self.kinds, (1,)), self.kinds, minutes, min_minutes)

    def embed(
        self,
        series: Series,
        profile: Profile,
        *,
        ends: IntArray | None = None,
        min_minutes: int | None = None,
    ) -> WindowEmbeddings:
        """The vectors of the windows that end at the minutes `ends` (ascending indices; default: every minute).

        Leaves out a window that ends in a gap or has fewer than `min_minutes` observed minutes. The default is four
        fifths of a window; the least is MIN_WINDOW_MINUTES. Raises ModelError for minutes that do not fit the model,
        UsageError for ends outside the series.
        """
        self.check_series(series)
        whole = int(np.ceil(WHOLE_WINDOW_SHARE * self.window))
        needed = whole if min_minutes is None else max(min_minutes, min(MIN_WINDOW_MINUTES, self.window))
        total = np.concatenate(([0], np.cumsum(series.observed)))
        observed = total[1:] - total[np.maximum(np.arange(len(series)) - self.window + 1, 0)]
        wanted = np.arange(len(series)) if ends is None else np.asarray(ends, dtype=np.int64)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < len(series)):
            raise UsageError(
                f"Windows must end within the {len(series)} minutes of node {series.node!r}; give other ends."
            )
        wanted = wanted[series.observed[wanted] & (observed[wanted] >= needed)]
        run = self._pooled if self.manifest.encoder == "pooled" else self._recurrent
        vectors = np.empty((len(wanted), self.dimensions), dtype=np.float32)
        done = 0
        for block in run(series, profile, wanted):
            vectors[done : done + len(block)] = block
            done += len(block)
        count = observed[wanted].astype(np.int16)
        return WindowEmbeddings(vectors, wanted, count, count < whole)

    def embed_within(self, series: Series, selected: BoolArray, profile: Profile) -> tuple[Float32Array, IntArray]:
        """The windows that lie within unbroken runs of the minutes `selected` (T,): vectors (N, D), last minutes (N,).

        An hour holds a single whole window, so windows with 30 minutes of history count too; if there are none, shorter
        ones. Raises UsageError if there is no window at all.
        """
        runs = _runs(series, selected)
        for min_minutes in (MIN_BASELINE_WINDOW_MINUTES, MIN_WINDOW_MINUTES, 1):
            embedded = [(start, self.embed(run, profile, min_minutes=min_minutes)) for start, run in runs]
            if any(len(windows) for _, windows in embedded):
                last = np.concatenate([start + windows.last_minute for start, windows in embedded])
                return np.concatenate([windows.vectors for _, windows in embedded]), last
        raise UsageError(
            f"No interval of normal traffic of node {series.node!r} lasts {MIN_WINDOW_MINUTES} minutes; "
            "mark a longer one as normal."
        )

    def embed_short_windows(
        self, series: Series, profile: Profile, ends: IntArray, minutes: int = SHORT_WINDOW_MINUTES
    ) -> Float32Array:
        """(N, D) vectors of the short windows that end at `ends`, see `embedding.short_window`.

        Raises ModelError for minutes that do not fit the model, or a model that reads whole windows.
        """
        self.check_series(series)
        return embed_short_windows(self.encoder, series, profile, ends, minutes)

    def baseline(
        self, series: Series, selected: BoolArray | None = None, min_minutes: int = MIN_PROFILE_MINUTES
    ) -> NodeBaseline:
        """The node's baseline from its normal minutes `selected` ((T,) bool; default: all).

        Raises ModelError (minutes that do not fit the model) or UsageError (too few minutes).
        """
        minutes = np.ones(len(series), dtype=np.bool_) if selected is None else selected
        profile = self.profile(series, minutes, min_minutes)
        runs = [run for _, run in _runs(series, minutes)]
        return NodeBaseline(profile, self.mean_vector(series, minutes, profile), self._short_mean(runs, profile))

    def mean_vector(self, series: Series, selected: BoolArray, profile: Profile) -> Float32Array:
        """(D,) mean vector of the windows within the minutes `selected` (T,). Raises UsageError as `embed_within`."""
        vectors, _ = self.embed_within(series, selected, profile)
        return np.asarray(vectors.mean(axis=0, dtype=np.float64), np.float32)

    def _short_mean(self, runs: Sequence[Series], profile: Profile) -> Float32Array | None:
        """The mean vector of all short windows that lie within one run of normal minutes each."""
        if self.manifest.encoder != "pooled":
            return None
        blocks = []
        for run in runs:
            ends = np.arange(min(SHORT_WINDOW_MINUTES, len(run)) - 1, len(run))
            blocks.append(self.embed_short_windows(run, profile, ends))
        vectors = np.concatenate(blocks)
        known = vectors[~np.isnan(vectors[:, 0])]
        return known.mean(axis=0, dtype=np.float64).astype(np.float32) if len(known) else None

    def _pooled(self, series: Series, profile: Profile, ends: IntArray) -> Iterator[Float32Array]:
        """Encode every minute once, pool the codes, and apply the head; block by block, each with its history."""
        population = self.population
        spans, window = self.manifest.spans, self.window
        for start in range(0, len(series), BLOCK_MINUTES):
            selected = ends[(ends >= start) & (ends < start + BLOCK_MINUTES)]
            if not len(selected):
                continue
            # From the first minute of the first window, and of the longest trailing mean that ends there.
            begin = max(int(selected[0]) - window - max(spans) + 2, 0)
            block = series.slice(begin, int(selected[-1]) + 1)
            inputs = normalise(compute_levels(block, self.kinds, spans), self.kinds, profile, population)
            codes = self.encoder.encode_minutes(inputs).reshape(len(block), len(spans), -1)
            pooled = pool(codes, block.observed, spans, window)
            yield self.encoder.apply_head(np.ascontiguousarray(pooled[selected - begin]))

    def _recurrent(self, series: Series, profile: Profile, ends: IntArray) -> Iterator[Float32Array]:
        """Encode every window; those at the start of the series with the history that they have."""
        values = fill_missing(series.values)
        for end in ends[ends < self.window - 1]:
            yield self.encoder.encode_windows(values[None, : end + 1])
        for _, windows in rolling_windows(values, self.window, ends=ends[ends >= self.window - 1], batch=64):
            yield self.encoder.encode_windows(windows)


def load_model(path: Path, threads: int = 1, *, keys: Sequence[Path] = ()) -> Model:
    """The model in the file `path`. With `keys`, one of these public keys must have signed it (`embedding.signature`).

    Raises ModelError for a file that is missing, damaged, not a model or not signed; UsageError for a wrong key file.
    """
    artifact = read_artifact(path)
    if keys:
        from faultprint.embedding.signature import check_signature

        check_signature(artifact, keys, path)
    return Model(artifact, threads)


def _runs(series: Series, selected: BoolArray) -> list[tuple[int, Series]]:
    """The unbroken runs of the minutes `selected` (T,), each with the index of its first minute."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], selected, [False])))).tolist()
    return [(start, series.slice(start, stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
