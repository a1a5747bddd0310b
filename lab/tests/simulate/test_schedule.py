"""Labels are consecutive, episodes keep their distance, and all faults occur equally often."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from faultprint.tables import NORMAL, RECOVERY
from faultprint_lab.simulate.disturbances import DISTURBANCES, draw_disturbances
from faultprint_lab.simulate.faults.table import FAULTS
from faultprint_lab.simulate.run import START, build_scenario, network_of
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.schedule import draw_episodes, labels

DAYS = 8


@pytest.fixture(scope="module", params=[0, 1, 2])
def planned(request: pytest.FixtureRequest) -> tuple[Scenario, list[Any]]:
    scenario = build_scenario(network_of(request.param, 9), DAYS, START, np.random.default_rng(request.param))
    rng = np.random.default_rng(request.param)
    return scenario, draw_episodes(scenario, 5.0, np.random.SeedSequence(request.param), rng)


def test_labels_cover_the_span_without_gap_or_overlap(planned: tuple[Scenario, list[Any]]) -> None:
    scenario, episodes = planned
    rows = labels(episodes, scenario, START).rows(named=True)
    assert rows[0]["start"] == START
    assert rows[-1]["end"] == START + timedelta(days=DAYS)
    assert all(before["end"] == after["start"] for before, after in pairwise(rows))
    assert all(row["start"] < row["end"] for row in rows)
    order = [NORMAL, "fault", RECOVERY] * len(episodes) + [NORMAL]
    assert [row["condition"] if row["condition"] in order else "fault" for row in rows] == order
    assert all((row["severity"] is not None) == (row["condition"] in FAULTS) for row in rows)


def test_episodes_keep_their_distance_and_the_first_hours_have_no_fault(planned: tuple[Scenario, list[Any]]) -> None:
    scenario, episodes = planned
    assert episodes[0].start >= 2 * 3600
    assert all(after.start - before.recovery_end >= 75 * 60 - 1e-6 for before, after in pairwise(episodes))
    assert all(8 * 60 <= episode.end - episode.start <= 90 * 60 for episode in episodes)
    for episode in episodes:
        low, high = FAULTS[episode.fault].recovery
        assert 60 <= low <= episode.recovery_end - episode.end <= high <= 600
    assert episodes[-1].recovery_end < scenario.span


def test_all_faults_occur_equally_often(planned: tuple[Scenario, list[Any]]) -> None:
    counts = Counter(episode.fault for episode in planned[1])
    assert set(counts) == set(FAULTS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_faults_that_need_load_occur_in_busy_hours(planned: tuple[Scenario, list[Any]]) -> None:
    scenario, episodes = planned
    busiest = [scenario.curve.expected_between(e.start, e.end).min() for e in episodes if FAULTS[e.fault].busy]
    others = [scenario.curve.expected_between(e.start, e.end).min() for e in episodes if not FAULTS[e.fault].busy]
    assert min(busiest) > np.median(others)


def test_the_level_rises_and_the_residual_falls(planned: tuple[Scenario, list[Any]]) -> None:
    for episode in planned[1]:
        inside = np.linspace(episode.start, episode.end - 1e-3, 50)
        level = episode.level(inside)
        assert (np.diff(level) >= 0).all()
        assert level[-1] == pytest.approx(episode.severity)
        after = np.linspace(episode.end, episode.recovery_end, 50)
        assert not episode.level(after).any()
        residual = episode.residual(after)
        assert (np.diff(residual) <= 0).all()
        assert (residual[0], residual[-1]) == (pytest.approx(1), pytest.approx(0))
        assert not episode.residual(inside).any()


def test_about_sixteen_disturbances_a_day_of_all_kinds() -> None:
    drawn = draw_disturbances(60 * 86_400.0, np.random.default_rng(1))
    assert 14 < len(drawn) / 60 < 18
    assert {disturbance.name for disturbance, _ in drawn} == {disturbance.name for disturbance in DISTURBANCES}
    assert all(0.1 < (period.end - period.start) / 60 <= 40 for _, period in drawn)


@pytest.mark.parametrize("vary_episodes", [False, True])
def test_a_network_behaves_alike_in_each_fault_unless_episodes_vary(vary_episodes: bool) -> None:
    scenario = build_scenario(network_of(4, 9), DAYS, START, np.random.default_rng(4))
    drawn = draw_episodes(
        scenario, 8.0, np.random.SeedSequence(4), np.random.default_rng(4), vary_episodes=vary_episodes
    )
    steep = [episode.draws["steep"] for episode in drawn if episode.fault == "overload"]
    assert len(steep) > 3
    assert len(set(steep)) == (len(steep) if vary_episodes else 1)
