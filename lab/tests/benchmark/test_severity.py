"""Faults of one strength alone."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.synthetic import Fault, labels, minute, minutes

from faultprint.evaluation.truth import truth
from faultprint.windows.series import series
from faultprint_lab.benchmark.data.severity import of_strength
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import trials

LENGTH, WINDOW = 400, 60
MINUTE = timedelta(minutes=1)
SHORT = minutes("alpha-1", LENGTH).select("node", "network", "minute", "observed", "node.ser")


def table(faults: list[Fault], strengths: list[float | None]) -> pl.DataFrame:
    frame = labels("alpha-1", LENGTH, faults)
    told = iter(strengths)
    severity = [None if word == "normal" else next(told) for word in frame["condition"].to_list()]
    return frame.with_columns(pl.Series("severity", severity, dtype=pl.Float32))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=4),
    st.lists(st.sampled_from([None, 0.25, 0.5, 1.0]), min_size=4, max_size=4),
)
def test_windows_that_hold_a_minute_of_another_strength_have_no_truth(
    drawn: list[tuple[int, int]], strengths: list[float | None]
) -> None:
    faults: list[Fault] = []
    for apart, length in drawn:
        start = (faults[-1][1] if faults else 0) + apart
        faults.append((start, start + length, "bye-slow"))
    told = table(faults, strengths)
    whole = truth(series(SHORT, ["node.ser"]), told, WINDOW)
    found = of_strength(whole, told, (0.25, 0.5), WINDOW, MINUTE)
    others = {
        at
        for (start, end, _), strength in zip(faults, strengths, strict=False)
        if strength != 0.5  # the only one above .25 and up to .5
        for at in range(start, end)
    }
    for last in range(LENGTH):
        before, after = (frame.filter(pl.col("minute") == minute(last))["truth"].item() for frame in (whole, found))
        held = others & {*range(last - WINDOW + 1, last + 1)}
        assert after == (None if held else before)


def test_the_variants_part_all_strengths() -> None:
    bounds = [trial.strength for trial in trials("strength", "simulated", Sizes(), "choose", 1)]
    assert all(bounds)
    assert [one[0] for one in bounds[1:] if one] == [one[1] for one in bounds[:-1] if one]
    assert bounds[0] and bounds[-1] and (bounds[0][0], bounds[-1][1]) == (0.0, 1.0)
