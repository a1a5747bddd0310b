"""The stage: minutes, a model and a library in; a verdict for every minute out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.baseline import OnSuspect, select_first, select_minutes
from faultprint.cases.calibration import matcher_for, rule_for
from faultprint.cases.centering import CenteredWindows, Stretch, center, given_minutes, node_series
from faultprint.cases.decision import UNKNOWN_CODE, WARMING_CODE, Rule, debounce, faulty, raw_verdicts
from faultprint.cases.evidence import evidence
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher, Matches
from faultprint.embedding.model import Model
from faultprint.storage import schema
from faultprint.tables import UNKNOWN, VERDICTS, WARMING_UP
from faultprint.windows.series import Series

Progress = Callable[[int, int], None]


def identify(
    minutes: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    normal: Mapping[str, Stretch] | Stretch | None = None,
    profile_minutes: int = 60,
    vouched: bool = True,
    strangers: bool = False,
    persistence: int = 1,
    rule: Rule | None = None,
    progress: Progress | None = None,
    doubt: OnSuspect = lambda node, condition: None,
) -> pl.DataFrame:
    """The VERDICTS of every observed minute of a MINUTES table, by node and time.

    `normal`: the stretch of each node's own normal traffic, one for all or by node. Without it, a node's first
    `profile_minutes` observed minutes are taken (the next, where these look like a fault: `cases.taking`): whoever starts
    Faultprint vouches that they were normal, and until they have passed the verdict is warming-up. If they are not `vouched`
    for, they need only be mostly normal: what stands out is left out (`cases.sifting`). With `strangers` nobody vouches for any:
    every node is judged by what is normal for nodes in general, from its first whole window on. `doubt` is told where what is
    to be taken as normal looks like a fault. `rule` decides (default: `cases.calibration.rule_of`, with `persistence`).
    Raises TableError, ModelError, LibraryError or UsageError.
    """
    matcher = matcher_for(model, library.for_model(model.id, model.dimensions))
    rule = rule or rule_for(model, library, persistence)
    nodes = node_series(minutes, model)
    frames = []
    for done, series in enumerate(nodes, start=1):
        chosen: BoolArray | None = None
        begin = 0
        if not strangers and (given := given_minutes(series, normal)) is not None:
            chosen, fault = select_minutes(series, given, model, matcher, vouched=vouched)
            if fault:
                doubt(series.node, fault)
        elif not strangers:
            chosen, begin = select_first(series, profile_minutes, model, matcher, vouched=vouched, doubt=doubt)
        frames.append(verdicts(center(series, model, chosen), model, matcher, rule, begin))
        if progress:
            progress(done, len(nodes))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema(VERDICTS))


def verdicts(placed: CenteredWindows, model: Model, matcher: Matcher, rule: Rule, begin: int = 0) -> pl.DataFrame:
    """One node's VERDICTS; minutes before index `begin`, and those without a window, are warming-up."""
    series = placed.series
    matches = matcher.match(placed.vectors)
    code = decide(matches, placed.last_minute, series, rule, begin)
    reason: list[list[str] | None] = [None] * len(code)
    rows = np.flatnonzero(series.observed)
    abnormal = np.flatnonzero(faulty(code))
    for row, words in zip(abnormal, evidence(series, placed.normal.profile, model, rows[abnormal]), strict=True):
        reason[row] = words
    return pl.DataFrame(
        {
            "node": [series.node] * len(code),
            "minute": pl.Series(series.minute_us[rows]).cast(pl.Datetime("us", "UTC")),
            "condition": names(code, matches.conditions),
            **_measures(matches, placed.last_minute, rows),
            "evidence": reason,
        },
        schema=schema(VERDICTS),
    )


def decide(matches: Matches, last_minute: IntArray, series: Series, rule: Rule, begin: int = 0) -> IntArray:
    """(N,) verdict codes (`cases.decision`) of the observed minutes; windows end at `last_minute`."""
    claimed = np.full(len(series), WARMING_CODE, np.int64)
    claimed[last_minute] = raw_verdicts(matches, last_minute >= begin, rule)
    return debounce(claimed[series.observed], rule.persistence)[0]


def names(code: IntArray, conditions: Sequence[str]) -> list[str]:
    """The word for each code."""
    words = [*conditions, UNKNOWN, WARMING_UP]  # the last two lie where the codes -2 and -1 point
    assert words[UNKNOWN_CODE] == UNKNOWN and words[WARMING_CODE] == WARMING_UP
    return [words[index] for index in code.tolist()]


def _measures(matches: Matches, last_minute: IntArray, rows: IntArray) -> dict[str, pl.Series]:
    """Nearest, runner-up and distances; null where there is no window or no second condition."""
    place = np.full(int(rows[-1]) + 1 if len(rows) else 0, -1)
    place[last_minute] = np.arange(len(last_minute))
    window = place[rows]
    known: list[str | None] = [*matches.conditions, None]
    words = {
        name: pl.Series([known[code] for code in np.append(codes, -1)[window].tolist()], dtype=pl.String)
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
    return words | numbers
