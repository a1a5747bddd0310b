"""The baseline of a node: which of its minutes count as normal traffic.

Every vector is measured from the mean vector of the node's baseline. A policy says how the baseline is chosen:

    Baseline.first(60)         the node's first 60 observed minutes; the next 60, if those look like a known fault
    Baseline.interval(a, b)    the minutes within the interval, whatever they look like
    Baseline.robust(1440)      the first 1440 observed minutes without outlier windows; also within an interval
    Baseline.population()      no minute of the node, but the mean of many nodes' normal traffic

`identify`, `enrol` and `evaluate` choose it by `select`. The monitor applies the same steps as minutes arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self

import numpy as np

from faultprint.arguments import interval_argument, shown, whole_number
from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.centering import Interval, minutes_within
from faultprint.cases.decision import Rule, raw_verdicts
from faultprint.cases.matching import NORMAL_INDEX, Matcher
from faultprint.cases.silence import has_requests
from faultprint.cases.thresholds import normal_radius
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.windows.profile import MIN_PROFILE_MINUTES
from faultprint.windows.series import Series

FIRST_MINUTES: Final = 60
ROBUST_MINUTES: Final = 1440
MAX_ATTEMPTS: Final = 3
"""Suspect baselines of one node; the last is accepted, since an odd node can be right."""
MAX_DISTANCE_RATIO: Final = 0.7
"""How much nearer a fault must be than the population baseline to make a baseline suspect (docs/decisions/0015)."""

OnSuspect = Callable[[str, str], None]
"""on_suspect(node, condition): minutes that could be the node's baseline look like this fault."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How a node's baseline is chosen. Make one with `first`, `interval`, `intervals`, `robust` or `population`.

    kind     first, interval, robust (outlier windows are dropped) or population
    minutes  observed minutes that a baseline without an interval takes, at least MIN_PROFILE_MINUTES
    within   the interval of the baseline: one for all nodes, or by node name; other nodes take their first minutes
    """

    kind: Literal["first", "interval", "robust", "population"] = "first"
    minutes: int = FIRST_MINUTES
    within: Interval | Mapping[str, Interval] | None = None

    def __post_init__(self) -> None:
        whole_number(self.minutes, "minutes", least=0)
        if self.minutes < MIN_PROFILE_MINUTES:
            raise UsageError(
                f"A baseline of {self.minutes} minutes is too short for a profile; give {MIN_PROFILE_MINUTES} or more."
            )

    @classmethod
    def first(cls, minutes: int = FIRST_MINUTES) -> Self:
        """The first observed minutes of each node. Verdicts begin after them."""
        return cls("first", minutes)

    @classmethod
    def interval(cls, start: datetime | str, end: datetime | str) -> Self:
        """The minutes from `start` to `end`, on all nodes. They are trusted: outliers stay.

        Both are datetimes or ISO 8601 texts; a time without a zone is UTC. Raises UsageError for anything else, or an end
        that is not after the start.

        >>> import faultprint as fp
        >>> fp.Baseline.interval("2026-01-05T08:00", "2026-01-05T09:00").kind
        'interval'
        """
        return cls("interval", within=interval_argument((start, end), "the baseline"))

    @classmethod
    def intervals(cls, by_node: Mapping[str, Interval], minutes: int = FIRST_MINUTES) -> Self:
        """An interval for each node by name; other nodes take their first `minutes`."""
        return cls("interval", minutes, _intervals(by_node))

    @classmethod
    def robust(cls, minutes: int = ROBUST_MINUTES, within: Interval | Mapping[str, Interval] | None = None) -> Self:
        """The first observed minutes, or those within an interval, without the windows that are outliers.

        For traffic that is mostly normal, but not checked.
        """
        if isinstance(within, Mapping):
            return cls("robust", minutes, _intervals(within))
        return cls("robust", minutes, None if within is None else interval_argument(within, "within"))

    @classmethod
    def population(cls) -> Self:
        """What is normal for many nodes: for a node without any normal traffic of its own."""
        return cls("population")

    def interval_of(self, node: str) -> Interval | None:
        """The interval of this node's baseline, if there is one."""
        return self.within.get(node) if isinstance(self.within, Mapping) else self.within


def _intervals(by_node: Mapping[str, Interval]) -> dict[str, Interval]:
    if not isinstance(by_node, Mapping):
        raise UsageError(
            f"by_node is {shown(by_node)}, which cannot be used; pass a dict of node name -> (start, end)."
        )
    return {str(node): interval_argument(interval, f"the baseline of {node!r}") for node, interval in by_node.items()}


FIRST_HOUR: Final = Baseline.first()
"""The default of everything that takes a policy."""


@dataclass(frozen=True, slots=True)
class SelectedBaseline:
    """The baseline chosen for one node.

    minutes   (T,) bool: the minutes in it; none for the population baseline
    baseline  their profile and mean vectors
    begin     index of the minute from which verdicts are given; the length of the series if they never are
    suspect   the fault that the minutes look like, None if they look normal
    """

    minutes: BoolArray
    baseline: NodeBaseline
    begin: int
    suspect: str | None = None


def select(
    series: Series,
    policy: Baseline,
    model: Model,
    matcher: Matcher,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> SelectedBaseline:
    """The node's baseline by the policy.

    Calls `on_suspect` each time that minutes look like one of the matcher's faults. Raises UsageError if there are too
    few minutes, ModelError if the model lacks what the policy needs.
    """
    if policy.kind == "population":
        return SelectedBaseline(np.zeros(len(series), np.bool_), model.population_baseline, 0)
    interval = policy.interval_of(series.node)
    if interval is None:
        return _select_first(series, policy, model, matcher, on_suspect)
    minutes, suspect = screen(series, interval_minutes(series, interval), policy, model, matcher)
    if suspect:
        on_suspect(series.node, suspect)
    return SelectedBaseline(minutes, model.baseline(series, minutes), 0, suspect)


def _select_first(
    series: Series, policy: Baseline, model: Model, matcher: Matcher, on_suspect: OnSuspect
) -> SelectedBaseline:
    """The first minutes that are fit to be the baseline.

    minutes observed             look like a fault  then
    the first N                  no                 they are the baseline
                                 yes                they are suspect: the next N are tried
    the MAX_ATTEMPTS-th N        yes                they are suspect, and the baseline all the same
    any N                        too many gaps      the next N are tried
    any N                        have no request    the next N are tried

    If all minutes are suspect before MAX_ATTEMPTS, or no minute has a request, verdicts never begin.
    """
    observed, number = int(np.count_nonzero(series.observed)), policy.minutes
    selected: SelectedBaseline | None = None
    attempts = 0
    for skipped in range(0, max(observed - number, 0) + 1, number):
        candidates = first_minutes(series, number, skipped)
        try:
            minutes, suspect = screen(series, candidates, policy, model, matcher)
            baseline = model.baseline(series, minutes)
        except UsageError:
            if selected is None and skipped + 2 * number > observed:
                raise
            continue
        if not has_requests(series, minutes):
            selected = SelectedBaseline(minutes, baseline, len(series))
            continue
        attempts += 1
        if suspect:
            on_suspect(series.node, suspect)
        if not suspect or attempts == MAX_ATTEMPTS:
            return SelectedBaseline(minutes, baseline, int(np.flatnonzero(candidates)[-1]) + 1, suspect)
        selected = SelectedBaseline(minutes, baseline, len(series), suspect)
    assert selected is not None  # else the last candidates have raised
    return selected


def screen(
    series: Series, minutes: BoolArray, policy: Baseline, model: Model, matcher: Matcher
) -> tuple[BoolArray, str | None]:
    """Of the `minutes` (T,) those to take as the baseline, and the fault that they look like.

    Outlier windows are dropped if the policy is robust. Raises UsageError if too few minutes are left, or too few in a
    row.
    """
    kept = remove_outliers(series, minutes, model) if policy.kind == "robust" else minutes
    return kept, check_baseline(series, kept, model, matcher)


def check_baseline(series: Series, minutes: BoolArray, model: Model, matcher: Matcher) -> str | None:
    """The fault that the `minutes` (T,) look like; None if they look normal, or the model has no population baseline.

    A baseline recorded during a fault hides that fault for good. So the minutes are compared with the faults from the
    population baseline: they are suspect if a fault lies far nearer. Raises UsageError if there is no window.
    """
    if model.manifest.population_baseline is None:
        return None
    population = model.population_baseline
    vector = model.mean_vector(series, minutes, population.profile) - population.mean
    matches = matcher.match(vector[None])
    code = int(raw_verdicts(matches, np.ones(1, np.bool_), Rule(max_distance_ratio=MAX_DISTANCE_RATIO))[0])
    return None if code == NORMAL_INDEX else matches.conditions[code]


def remove_outliers(series: Series, minutes: BoolArray, model: Model) -> BoolArray:
    """(T,) the `minutes` (T,) without those of outlier windows. At least half of the windows are kept.

    A profile is made of medians, so a day with a few faults has nearly the profile of a day without. Under it most
    windows lie together. A window is an outlier if it lies further from their median than normal windows lie from a
    node's baseline. If most of the traffic is a fault, that fault is what remains; `check_baseline` may see it.

    Raises UsageError if the minutes are too few, ModelError if the model does not tell how far normal windows lie.
    """
    vectors, last = model.embed_within(series, minutes, model.profile(series, minutes))
    distance = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    outlier = distance > max(normal_radius(model), float(np.median(distance)))
    outside = minutes & ~_covered(last[outlier], model.window, len(series))
    if np.count_nonzero(outside) >= model.window:
        return outside
    # Outliers all over: keep the minutes of the other windows, though an outlier may share them.
    inside = minutes & _covered(last[~outlier], model.window, len(series))
    return inside if np.count_nonzero(inside) >= model.window else minutes


def first_minutes(series: Series, number: int, skipped: int = 0) -> BoolArray:
    """(T,) bool: the first `number` observed minutes after `skipped` others. Raises UsageError if there are fewer."""
    observed = np.flatnonzero(series.observed)[skipped:]
    if number < 1 or len(observed) < number:
        raise UsageError(
            f"Node {series.node!r} has {len(observed)} observed minutes, but its baseline needs {number}; give more "
            "minutes, or a shorter baseline."
        )
    chosen = np.zeros(len(series), np.bool_)
    chosen[observed[:number]] = True
    return chosen


def interval_minutes(series: Series, interval: Interval) -> BoolArray:
    """(T,) bool: the node's observed minutes within the interval. Raises UsageError if there are none."""
    minutes = minutes_within(series, interval) & series.observed
    if not minutes.any():
        start, end = (moment.isoformat() for moment in interval)
        raise UsageError(
            f"Node {series.node!r} has no minutes from {start} to {end}, which is given as its baseline; give another "
            "interval."
        )
    return minutes


def _covered(last: IntArray, window: int, minutes: int) -> BoolArray:
    """(minutes,) the minutes of the windows that end at `last`."""
    edges = np.zeros(minutes + 1, np.int64)
    np.add.at(edges, np.maximum(last - window + 1, 0), 1)
    np.add.at(edges, last + 1, -1)
    return np.cumsum(edges)[:-1] > 0
