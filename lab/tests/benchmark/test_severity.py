"""Windows with faults of one range of severity."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.synthetic import Fault, labels, minute, minutes

from faultprint.evaluation.truth import truth
from faultprint.windows.series import build_series
from faultprint_lab.benchmark.data.severity import only_severity
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import trials

LENGTH, WINDOW = 400, 60
MINUTE = timedelta(minutes=1)
SHORT = minutes("alpha-1", LENGTH).select("node", "network", "minute", "observed", "node.ser")


def table(faults: list[Fault], severities: list[float | None]) -> pl.DataFrame:
    frame = labels("alpha-1", LENGTH, faults)
    values = iter(severities)
    severity = [None if name == "normal" else next(values) for name in frame["condition"].to_list()]
    return frame.with_columns(pl.Series("severity", severity, dtype=pl.Float32))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=4),
    st.lists(st.sampled_from([None, 0.25, 0.5, 1.0]), min_size=4, max_size=4),
)
def test_windows_with_a_minute_of_another_severity_have_no_truth(
    drawn: list[tuple[int, int]], severities: list[float | None]
) -> None:
    faults: list[Fault] = []
    for apart, length in drawn:
        start = (faults[-1][1] if faults else 0) + apart
        faults.append((start, start + length, "bye-slow"))
    labelled = table(faults, severities)
    whole = truth(build_series(SHORT, ["node.ser"]), labelled, WINDOW)
    found = only_severity(whole, labelled, (0.25, 0.5), WINDOW, MINUTE)
    others = {
        at
        for (start, end, _), severity in zip(faults, severities, strict=False)
        if severity != 0.5  # the only one above 0.25 and up to 0.5
        for at in range(start, end)
    }
    for last in range(LENGTH):
        before, after = (frame.filter(pl.col("minute") == minute(last))["truth"].item() for frame in (whole, found))
        held = others & {*range(last - WINDOW + 1, last + 1)}
        assert after == (None if held else before)


def test_the_variants_cover_all_severities() -> None:
    bounds = [trial.severity for trial in trials("by-severity", "simulated", Sizes(), "validation", 1)]
    assert all(bounds)
    assert [each[0] for each in bounds[1:] if each] == [each[1] for each in bounds[:-1] if each]
    assert bounds[0] and bounds[-1] and (bounds[0][0], bounds[-1][1]) == (0.0, 1.0)
