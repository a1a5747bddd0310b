"""Arrivals and call plans have the configured rates and are reproducible by seed."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.testbed.subscribers.arrivals import arrivals, backoff_delay, daily_activity, draw_call, lognormal
from faultprint_lab.testbed.topology.network import BedLoad

LOAD = BedLoad(night_depth=0.6, peak_hour=18.0)


def test_the_curve_peaks_at_its_hour() -> None:
    assert daily_activity(LOAD, 18 * 3600) == pytest.approx(1.0)
    assert daily_activity(LOAD, 6 * 3600) == pytest.approx(0.4)


@given(st.floats(0, 1e6))
def test_the_curve_stays_between_night_and_peak(seconds: float) -> None:
    assert 0.4 - 1e-9 <= daily_activity(LOAD, seconds) <= 1 + 1e-9


def test_arrivals_have_the_rate_of_the_hour() -> None:
    for hour, share in ((18, 1.0), (6, 0.4)):
        times = list(takewhile(lambda time: time < 600, arrivals(LOAD, 20.0, hour * 3600, np.random.default_rng(1))))
        assert len(times) == pytest.approx(12_000 * share, rel=0.05)
        gaps = np.diff(times)
        # In a Poisson process the standard deviation of the gaps equals their mean.
        assert np.std(gaps) / np.mean(gaps) == pytest.approx(1.0, abs=0.1)


def test_arrivals_are_reproducible_by_seed() -> None:
    def first(seed: int) -> list[float]:
        return [time for time, _ in zip(arrivals(LOAD, 1.0, 0.0, np.random.default_rng(seed)), range(20), strict=False)]

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_no_rate_means_no_arrivals() -> None:
    assert list(arrivals(LOAD, 0.0, 0.0, np.random.default_rng(1))) == []


def test_call_plans_have_the_configured_shares() -> None:
    rng = np.random.default_rng(3)
    answers = [draw_call(LOAD, rng).answer for _ in range(20_000)]
    for status, share in ((200, 0.78), (486, 0.08), (480, 0.04), (0, 0.10)):
        assert answers.count(status) / 20_000 == pytest.approx(share, abs=0.01)


def test_log_normal_times_have_their_median_and_a_maximum() -> None:
    rng = np.random.default_rng(4)
    drawn = [lognormal(rng, 60.0, 0.9) for _ in range(20_000)]
    assert np.median(drawn) == pytest.approx(60, rel=0.03)
    assert max(drawn) <= 3000


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_backoff_doubles_up_to_its_maximum(failures: int, seed: int) -> None:
    wait = backoff_delay(LOAD, failures, np.random.default_rng(seed))
    longest = min(LOAD.retry_longest, LOAD.retry_first * 2.0 ** min(failures - 1, 16))
    assert longest / 2 <= wait <= longest
