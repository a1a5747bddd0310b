"""How faults show in the features, compared between two sets of labelled minutes: of the test bed and of the simulator.

The signature of a fault is, for every feature, the z-score of its minutes at the faulty node on a logarithmic scale
(`windows.normalisation`: sign(z) ln(1 + |z|), z the deviation from the node's own baseline in standard deviations): the mean
over the minutes of an episode, and the median over episodes. 2 means about seven standard deviations. Both sets use the
same population statistics, so that the same spread is used for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from faultprint.arrays import BoolArray, Float32Array, Float64Array, IntArray
from faultprint.features.catalogue import Catalogue
from faultprint.tables import NORMAL
from faultprint.windows.labelling import fault_names, label_minutes
from faultprint.windows.levels import FeatureKinds, Levels, compute_levels
from faultprint.windows.normalisation import CHANNELS, normalise
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile, build_profile, population_profile
from faultprint.windows.series import build_series
from faultprint_lab.baselines.recorded import Tables

MIN_SHOWN: Final = 0.7
"""Value (one standard deviation) from which a feature belongs to a signature."""
_MAX_LISTED: Final = 6


@dataclass(frozen=True, slots=True)
class Signature:
    """The mean values of each episode of a fault (E, F), and their median (F,)."""

    episodes: Float32Array
    median: Float32Array


FeaturePair = tuple[str, float, float]
"""(feature, value in the measured set, value in the reference set)"""


@dataclass(frozen=True, slots=True)
class SignatureSimilarity:
    """One fault in both sets.

    - `cosine` of the two signatures; `nearest`: of the measured signature and the most similar reference episode, because
      a fault may have several forms and a median shows none of them.
    - `strongest` features of the measured signature; features that `only_here` or `only_there` belong to the signature.
    """

    condition: str
    episodes: tuple[int, int]
    cosine: float
    nearest: float
    strongest: tuple[FeaturePair, ...]
    only_here: tuple[FeaturePair, ...]
    only_there: tuple[FeaturePair, ...]


@dataclass(frozen=True, slots=True)
class LabelledNode:
    """One node: levels of its single minutes (1, T, F), its baseline profile, and the minutes of each episode."""

    levels: Levels
    profile: Profile
    episodes: tuple[tuple[str, IntArray], ...]


def labelled_nodes(minutes: pl.DataFrame, labels: pl.DataFrame, catalogue: Catalogue) -> list[LabelledNode]:
    """The nodes of a MINUTES and a LABELS table with enough normal minutes for a profile.

    Raises TableError or LabelError.
    """
    kinds, names, nodes = FeatureKinds.from_catalogue(catalogue), fault_names(labels), []
    for series in build_series(minutes, catalogue.names):
        conditions = label_minutes(labels, series, names)
        normal = conditions.normal & series.observed
        if np.count_nonzero(normal) < MIN_PROFILE_MINUTES:
            continue
        levels = compute_levels(series, kinds, (1,))
        truth = np.array([*conditions.conditions, NORMAL])[np.where(conditions.faulty, conditions.code, -1)]
        episodes = tuple(_episodes(truth, series.observed))
        nodes.append(LabelledNode(levels, build_profile(levels, kinds, normal), episodes))
    return nodes


def signatures(nodes: Sequence[LabelledNode], kinds: FeatureKinds, population: Profile) -> dict[str, Signature]:
    """The signature of every fault of the nodes, by name."""
    episodes: dict[str, list[Float32Array]] = {}
    for node in nodes:
        inputs = normalise(node.levels, kinds, node.profile, population)
        z_scores = inputs.reshape(len(inputs), CHANNELS, -1)[:, 0]
        for name, minutes in node.episodes:
            episodes.setdefault(name, []).append(z_scores[minutes].mean(axis=0))
    stacks = {name: np.stack(means) for name, means in sorted(episodes.items())}
    return {name: Signature(stack, np.median(stack, axis=0)) for name, stack in stacks.items()}


def compare(measured: Tables, reference: Tables, catalogue: Catalogue) -> list[SignatureSimilarity]:
    """Every fault that both sets have, by name. Raises TableError, LabelError or UsageError."""
    both = [labelled_nodes(*tables, catalogue) for tables in (measured, reference)]
    kinds = FeatureKinds.from_catalogue(catalogue)
    population = population_profile([node.profile for nodes in both for node in nodes], kinds)
    here, there = (signatures(nodes, kinds, population) for nodes in both)
    common = sorted(here.keys() & there.keys())
    return [_similarity(name, here[name], there[name], catalogue.names) for name in common]


def markdown_table(similarities: Sequence[SignatureSimilarity]) -> list[str]:
    """Lines of a Markdown table."""

    def pairs(features: Sequence[FeaturePair]) -> str:
        return ", ".join(f"{name} {here:+.1f}/{there:+.1f}" for name, here, there in features) or "–"

    head = "| fault | episodes | cosine | nearest | strongest here | only here | only there |"
    rows = [
        f"| {fault.condition} | {fault.episodes[0]}, {fault.episodes[1]} | {fault.cosine:.2f} | {fault.nearest:.2f} "
        f"| {pairs(fault.strongest)} | {pairs(fault.only_here)} | {pairs(fault.only_there)} |"
        for fault in similarities
    ]
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _episodes(truth: NDArray[np.str_], observed: BoolArray) -> Iterator[tuple[str, IntArray]]:
    """The episodes of faults: the name of the fault, and the indices of the observed minutes."""
    edges = np.flatnonzero(truth[1:] != truth[:-1]) + 1
    for minutes in np.split(np.arange(len(truth)), edges):
        seen = minutes[observed[minutes]]
        if truth[minutes[0]] != NORMAL and len(seen):
            yield str(truth[minutes[0]]), seen


def _similarity(name: str, here: Signature, there: Signature, features: Sequence[str]) -> SignatureSimilarity:
    a, b = here.median.astype(np.float64), there.median.astype(np.float64)
    shown_a, shown_b = np.abs(a) >= MIN_SHOWN, np.abs(b) >= MIN_SHOWN
    by_a = np.argsort(-np.abs(a), kind="stable")
    by_b = np.argsort(-np.abs(b), kind="stable")

    def listed(indices: IntArray) -> tuple[FeaturePair, ...]:
        return tuple((features[i], round(float(a[i]), 2), round(float(b[i]), 2)) for i in indices[:_MAX_LISTED])

    different = np.abs(a - b) >= MIN_SHOWN
    only_a, only_b = shown_a & ~shown_b & different, shown_b & ~shown_a & different
    return SignatureSimilarity(
        name,
        (len(here.episodes), len(there.episodes)),
        round(_cosine(a, b), 3),
        round(max(_cosine(a, episode) for episode in there.episodes.astype(np.float64)), 3),
        listed(by_a[(shown_a & ~only_a)[by_a]]),
        listed(by_a[only_a[by_a]]),
        listed(by_b[only_b[by_b]]),
    )


def _cosine(a: Float64Array, b: Float64Array) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0
