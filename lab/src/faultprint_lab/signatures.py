"""What a fault looks like in the features, in two sets of labelled minutes side by side: the bed's and the simulator's.

A fault's signature is, for every feature, how surprising its minutes are to the node that has it (`windows.normalise`:
departure from the node's own normal over its standard deviation, put through sign(z) ln(1 + |z|)): the mean over an episode's
minutes, the median over episodes. 2 is seven standard deviations. Both sets lean on one population, so that a spread
that is believed in one of them is believed in the other.
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
from faultprint.windows.labelling import faults, minute_conditions
from faultprint.windows.levels import Kinds, Levels, levels
from faultprint.windows.normalise import CHANNELS, normalise
from faultprint.windows.profile import LEAST_MINUTES, Profile, population, profile
from faultprint.windows.series import series
from faultprint_lab.baselines.recorded import Tables

TOLD: Final = 0.7
"""Surprise (one standard deviation) from which a feature is part of what a signature tells."""
_NAMED: Final = 6


@dataclass(frozen=True, slots=True)
class Signature:
    """A fault's episodes (E, F), and their median, its signature (F,)."""

    episodes: Float32Array
    surprise: Float32Array


@dataclass(frozen=True, slots=True)
class Likeness:
    """One fault in both sets: `cosine` of its signatures, and of the signature here with the `nearest` episode there, because
    a fault has several ways and a median shows none of them; features strongest in one with both values, and those that
    only one of them shows, as (feature, here, there)."""

    condition: str
    episodes: tuple[int, int]
    cosine: float
    nearest: float
    strongest: tuple[tuple[str, float, float], ...]
    only_here: tuple[tuple[str, float, float], ...]
    only_there: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One node: its single minutes' levels (1, T, F), its normal profile, and the minutes of each episode."""

    levels: Levels
    own: Profile
    episodes: tuple[tuple[str, IntArray], ...]


def labelled(minutes: pl.DataFrame, labels: pl.DataFrame, catalogue: Catalogue) -> list[Labelled]:
    """The nodes of a MINUTES and a LABELS table that have normal minutes enough for a profile.

    Raises TableError or LabelError.
    """
    kinds, names, found = Kinds.of(catalogue), faults(labels), []
    for one in series(minutes, catalogue.names):
        conditions = minute_conditions(labels, one, names)
        normal = conditions.normal & one.observed
        if np.count_nonzero(normal) < LEAST_MINUTES:
            continue
        single = levels(one, kinds, (1,))
        words = np.array([*conditions.conditions, NORMAL])[np.where(conditions.faulty, conditions.code, -1)]
        found.append(Labelled(single, profile(single, kinds, normal), tuple(_episodes(words, one.observed))))
    return found


def signatures(nodes: Sequence[Labelled], kinds: Kinds, people: Profile) -> dict[str, Signature]:
    """The signature of every fault that the nodes have, by name."""
    episodes: dict[str, list[Float32Array]] = {}
    for node in nodes:
        inputs = normalise(node.levels, kinds, node.own, people)
        surprise = inputs.reshape(len(inputs), CHANNELS, -1)[:, 0]
        for name, minutes in node.episodes:
            episodes.setdefault(name, []).append(surprise[minutes].mean(axis=0))
    stacks = {name: np.stack(each) for name, each in sorted(episodes.items())}
    return {name: Signature(stack, np.median(stack, axis=0)) for name, stack in stacks.items()}


def compare(here: Tables, there: Tables, catalogue: Catalogue) -> list[Likeness]:
    """Every fault that both sets have, by name. Raises TableError, LabelError or UsageError."""
    both = [labelled(*tables, catalogue) for tables in (here, there)]
    kinds = Kinds.of(catalogue)
    people = population([node.own for nodes in both for node in nodes], kinds)
    ours, theirs = (signatures(nodes, kinds, people) for nodes in both)
    return [_likeness(name, ours[name], theirs[name], catalogue.names) for name in sorted(ours.keys() & theirs.keys())]


def table(likenesses: Sequence[Likeness]) -> list[str]:
    """Lines of a Markdown table."""

    def named(features: Sequence[tuple[str, float, float]]) -> str:
        return ", ".join(f"{name} {here:+.1f}/{there:+.1f}" for name, here, there in features) or "–"

    head = "| fault | episodes | cosine | nearest | strongest here | only here | only there |"
    rows = [
        f"| {one.condition} | {one.episodes[0]}, {one.episodes[1]} | {one.cosine:.2f} | {one.nearest:.2f} | {named(one.strongest)} "
        f"| {named(one.only_here)} | {named(one.only_there)} |"
        for one in likenesses
    ]
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _episodes(words: NDArray[np.str_], observed: BoolArray) -> Iterator[tuple[str, IntArray]]:
    """Each fault's stretches: its name, and the indices of the minutes in it that were observed."""
    edges = np.flatnonzero(words[1:] != words[:-1]) + 1
    for part in np.split(np.arange(len(words)), edges):
        inside = part[observed[part]]
        if words[part[0]] != NORMAL and len(inside):
            yield str(words[part[0]]), inside


def _likeness(name: str, ours: Signature, theirs: Signature, names: Sequence[str]) -> Likeness:
    a, b = ours.surprise.astype(np.float64), theirs.surprise.astype(np.float64)
    shown_a, shown_b = np.abs(a) >= TOLD, np.abs(b) >= TOLD
    order = np.argsort(-np.abs(a), kind="stable")
    against = np.argsort(-np.abs(b), kind="stable")

    def told(which: IntArray) -> tuple[tuple[str, float, float], ...]:
        return tuple((names[i], round(float(a[i]), 2), round(float(b[i]), 2)) for i in which[:_NAMED])

    apart = np.abs(a - b) >= TOLD
    only_a, only_b = shown_a & ~shown_b & apart, shown_b & ~shown_a & apart
    return Likeness(
        name,
        (len(ours.episodes), len(theirs.episodes)),
        round(_cosine(a, b), 3),
        round(max(_cosine(a, episode) for episode in theirs.episodes.astype(np.float64)), 3),
        told(order[(shown_a & ~only_a)[order]]),
        told(order[only_a[order]]),
        told(against[only_b[against]]),
    )


def _cosine(a: Float64Array, b: Float64Array) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0
