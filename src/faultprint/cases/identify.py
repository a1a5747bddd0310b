"""Identification: minutes, a model and a library in; a verdict for every minute out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.baseline import FIRST_HOUR, Baseline, OnSuspect, SelectedBaseline, select
from faultprint.cases.centering import CenteredWindows, center, node_series
from faultprint.cases.decision import (
    Rule,
    VerdictCode,
    debounce,
    is_fault,
    raw_verdicts,
    verdict_names,
    with_silence,
)
from faultprint.cases.evidence import evidence
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.probability import probability_of
from faultprint.cases.recovery import active, is_recovered
from faultprint.cases.silence import silent_minutes
from faultprint.cases.thresholds import matcher_for, rule_for
from faultprint.embedding.model import Model
from faultprint.progress import Progress
from faultprint.storage import schema
from faultprint.tables import VERDICTS
from faultprint.windows.series import Series


def identify(
    minutes: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    baseline: Baseline = FIRST_HOUR,
    persistence: int = 1,
    rule: Rule | None = None,
    progress: Progress | None = None,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> pl.DataFrame:
    """The VERDICTS of every observed minute of a MINUTES table, by node and time.

    baseline     how each node's baseline is chosen; minutes before its end are warming-up (`cases.baseline`)
    persistence  minutes that must agree before the verdict changes
    rule         default: the library's or the model's rule for this persistence (`cases.thresholds.rule_for`)
    on_suspect   called with node and condition if minutes that could be the baseline look like a fault

    Raises TableError, ModelError, LibraryError or UsageError.
    """
    matcher = matcher_for(model, library.for_model(model.id, model.dimensions))
    rule = rule or rule_for(model, library, persistence)
    nodes = node_series(minutes, model)
    frames = []
    for done, series in enumerate(nodes, start=1):
        frames.append(judge(series, model, matcher, rule, baseline, on_suspect).verdicts)
        if progress:
            progress(done, len(nodes))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema(VERDICTS))


@dataclass(frozen=True, slots=True)
class JudgedNode:
    """One node: its windows, measured from the baseline that was selected, and its VERDICTS."""

    windows: CenteredWindows
    selected: SelectedBaseline
    verdicts: pl.DataFrame


def judge(
    series: Series,
    model: Model,
    matcher: Matcher,
    rule: Rule,
    baseline: Baseline = FIRST_HOUR,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> JudgedNode:
    """Select the baseline of one node and give it verdicts. Arguments and errors as for `identify`."""
    selected = select(series, baseline, model, matcher, on_suspect)
    windows = center(series, model, selected.baseline)
    return JudgedNode(windows, selected, verdicts(windows, model, matcher, rule, selected.begin))


def verdicts(windows: CenteredWindows, model: Model, matcher: Matcher, rule: Rule, begin: int = 0) -> pl.DataFrame:
    """One node's VERDICTS; minutes before index `begin`, and those without a window, are warming-up."""
    series = windows.series
    matches = matcher.match(windows.vectors)
    codes = minute_verdicts(matches, windows.last_minute, series, rule, begin)
    rows = np.flatnonzero(series.observed)
    # A silent node that is warming up has no normal values that its values could be compared with.
    abnormal = np.flatnonzero(is_fault(codes) & (rows >= begin))
    reasons: list[list[str] | None] = [None] * len(codes)
    for row, reason in zip(abnormal, evidence(series, windows.baseline.profile, model, rows[abnormal]), strict=True):
        reasons[row] = reason
    return pl.DataFrame(
        {
            "node": [series.node] * len(codes),
            "minute": pl.Series(series.minute_us[rows]).cast(pl.Datetime("us", "UTC")),
            "condition": verdict_names(codes, matches.conditions),
            "ongoing": ongoing(windows, codes, model, matcher, rule),
            "probability": _probability(matches, windows.last_minute, rows, codes, rule),
            **_measures(matches, windows.last_minute, rows),
            "evidence": reasons,
        },
        schema=schema(VERDICTS),
    )


def minute_verdicts(matches: Matches, last_minute: IntArray, series: Series, rule: Rule, begin: int = 0) -> IntArray:
    """(N,) verdict codes (`cases.decision`) of the observed minutes; the windows matched end at `last_minute`."""
    raw = np.full(len(series), VerdictCode.WARMING_UP, np.int64)
    raw[last_minute] = raw_verdicts(matches, last_minute >= begin, rule)
    verdict, _ = debounce(raw[series.observed][None], rule.persistence)
    return with_silence(np.asarray(verdict[0], np.int64), silent_minutes(series))


def ongoing(windows: CenteredWindows, codes: IntArray, model: Model, matcher: Matcher, rule: Rule) -> BoolArray:
    """(N,) whether the fault of each observed minute's verdict is still there (`cases.recovery`)."""
    fault, recovered = is_fault(codes), np.zeros(len(codes), np.bool_)
    last_minutes = np.flatnonzero(windows.series.observed)[fault]
    recovered[fault] = is_recovered(windows.series, windows.baseline, model, matcher, rule, last_minutes)
    return active(codes, recovered, rule.persistence)


def _probability(matches: Matches, last_minute: IntArray, rows: IntArray, codes: IntArray, rule: Rule) -> pl.Series:
    """The probability of the verdict `codes` (N,) of the minutes `rows`; null without a window or a condition."""
    at = np.searchsorted(last_minute, rows)
    found = at < len(last_minute)
    found[found] = last_minute[at[found]] == rows[found]
    values = np.full(len(rows), np.nan, np.float32)
    window_codes = np.full(len(last_minute), -1)
    window_codes[at[found]] = codes[found]
    values[found] = probability_of(matches, window_codes, rule.sharpness)[at[found]]
    return pl.Series(values, dtype=pl.Float32).fill_nan(None)


def _measures(matches: Matches, last_minute: IntArray, rows: IntArray) -> dict[str, pl.Series]:
    """Nearest condition, runner-up and distances of the minutes `rows`; null without a window or a second condition."""
    index = np.full(int(rows[-1]) + 1 if len(rows) else 0, -1)
    index[last_minute] = np.arange(len(last_minute))
    window = index[rows]  # -1 without a window, which is the last item of what is indexed: a null
    names: list[str | None] = [*matches.conditions, None]
    conditions = {
        name: pl.Series([names[code] for code in np.append(codes, -1)[window].tolist()], dtype=pl.String)
        for name, codes in (("nearest", matches.nearest), ("runner_up", matches.runner_up))
    }
    near, second = (
        np.append(matches.distance_to(codes), np.float32(np.nan))[window]
        for codes in (matches.nearest, matches.runner_up)
    )
    numbers = {
        name: pl.Series(values, dtype=pl.Float32).fill_nan(None)
        for name, values in (("distance", near), ("runner_up_distance", second), ("margin", second - near))
    }
    return conditions | numbers
