"""Labels: consecutive, spaced, and every fault as often as the others."""

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
    world = build_scenario(network_of(request.param, 9), DAYS, START, np.random.default_rng(request.param))
    rng = np.random.default_rng(request.param)
    return world, draw_episodes(world, 5.0, np.random.SeedSequence(request.param), rng)


def test_labels_cover_the_span_without_hole_or_overlap(planned: tuple[Scenario, list[Any]]) -> None:
    world, episodes = planned
    rows = labels(episodes, world, START).rows(named=True)
    assert rows[0]["start"] == START
    assert rows[-1]["end"] == START + timedelta(days=DAYS)
    assert all(before["end"] == after["start"] for before, after in pairwise(rows))
    assert all(row["start"] < row["end"] for row in rows)
    order = [NORMAL, "fault", RECOVERY] * len(episodes) + [NORMAL]
    assert [row["condition"] if row["condition"] in order else "fault" for row in rows] == order
    assert all((row["severity"] is not None) == (row["condition"] in FAULTS) for row in rows)


def test_episodes_keep_their_distance_and_leave_the_first_hours_free(planned: tuple[Scenario, list[Any]]) -> None:
    world, episodes = planned
    assert episodes[0].start >= 2 * 3600
    assert all(after.start - before.over >= 75 * 60 - 1e-6 for before, after in pairwise(episodes))
    assert all(8 * 60 <= episode.end - episode.start <= 90 * 60 for episode in episodes)
    for episode in episodes:
        low, high = FAULTS[episode.fault].recovery
        assert 60 <= low <= episode.over - episode.end <= high <= 600
    assert episodes[-1].over < world.span


def test_every_fault_comes_round_equally(planned: tuple[Scenario, list[Any]]) -> None:
    counts = Counter(episode.fault for episode in planned[1])
    assert set(counts) == set(FAULTS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_links_fill_up_at_busy_hours(planned: tuple[Scenario, list[Any]]) -> None:
    world, episodes = planned
    busiest = [world.curve.plain_between(e.start, e.end).min() for e in episodes if FAULTS[e.fault].busy]
    others = [world.curve.plain_between(e.start, e.end).min() for e in episodes if not FAULTS[e.fault].busy]
    assert min(busiest) > np.median(others)


def test_a_rising_level_and_a_falling_remnant(planned: tuple[Scenario, list[Any]]) -> None:
    for episode in planned[1]:
        inside = np.linspace(episode.start, episode.end - 1e-3, 50)
        level = episode.level(inside)
        assert (np.diff(level) >= 0).all()
        assert level[-1] == pytest.approx(episode.severity)
        after = np.linspace(episode.end, episode.over, 50)
        assert not episode.level(after).any()
        remnant = episode.remnant(after)
        assert (np.diff(remnant) <= 0).all()
        assert (remnant[0], remnant[-1]) == (pytest.approx(1), pytest.approx(0))
        assert not episode.remnant(inside).any()


def test_disturbances_come_about_sixteen_times_a_day_and_in_all_kinds() -> None:
    drawn = draw_disturbances(60 * 86_400.0, np.random.default_rng(1))
    assert 14 < len(drawn) / 60 < 18
    assert {disturbance.name for disturbance, _ in drawn} == {disturbance.name for disturbance in DISTURBANCES}
    assert all(0.1 < (moment.end - moment.start) / 60 <= 40 for _, moment in drawn)


@pytest.mark.parametrize("varied", [False, True])
def test_a_network_has_one_way_of_each_fault_unless_varied(varied: bool) -> None:
    world = build_scenario(network_of(4, 9), DAYS, START, np.random.default_rng(4))
    drawn = draw_episodes(world, 8.0, np.random.SeedSequence(4), np.random.default_rng(4), varied=varied)
    steep = [episode.draws["steep"] for episode in drawn if episode.fault == "overload"]
    assert len(steep) > 3
    assert len(set(steep)) == (len(steep) if varied else 1)
