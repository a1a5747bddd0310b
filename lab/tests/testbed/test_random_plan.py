"""Random plans are balanced, also when they are interrupted, and can be recorded."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan, parse
from faultprint_lab.testbed.recording import timeline
from faultprint_lab.testbed.recording.random_plan import (
    EARLIEST,
    LONGEST,
    MIN_SEVERITY,
    OUTAGES,
    SHORTEST,
    draw_plan,
)


@pytest.fixture(scope="module", params=[1, 2, 3])
def plan(request: pytest.FixtureRequest) -> RecordingPlan:
    return parse(draw_plan(10, 10, request.param), FAULTS)


def test_every_fault_has_a_minimum_severity() -> None:
    assert set(MIN_SEVERITY) == set(FAULTS)
    assert set(FAULTS) > OUTAGES


def test_plans_are_reproducible_by_seed() -> None:
    assert draw_plan(3, 4, 7) == draw_plan(3, 4, 7)
    assert draw_plan(3, 4, 7) != draw_plan(3, 4, 8)


@pytest.mark.parametrize(("networks", "hours"), [(1, 1), (2, 1), (1, 9), (13, 3), (4, 26)])
def test_a_plan_of_any_size_can_be_recorded(networks: int, hours: int) -> None:
    plan = parse(draw_plan(networks, hours, 5), FAULTS)
    assert len(plan.networks) == networks
    assert len(plan.episodes) == networks * hours
    assert len(timeline.episode_starts(plan)) == networks * hours


def test_faults_are_balanced_over_the_plan_and_over_networks(plan: RecordingPlan) -> None:
    networks_of: dict[str, set[str]] = defaultdict(set)
    number: Counter[str] = Counter()
    for episode in plan.episodes:
        for event in episode.faults:
            networks_of[event.fault].add(episode.network)
            number[event.fault] += 1
    assert set(number) == set(FAULTS)
    assert set(number.values()) == {5, 6}
    assert sum(number.values()) == 72
    assert all(len(networks) >= 5 for networks in networks_of.values())
    free = Counter(episode.network for episode in plan.episodes if not episode.faults)
    assert set(free.values()) == {2, 3}


def test_every_prefix_is_balanced(plan: RecordingPlan) -> None:
    for end in range(1, len(plan.episodes) + 1):
        head = plan.episodes[:end]
        hours = Counter(episode.network for episode in head)
        assert max(hours.values()) - min(hours[name] for name in plan.networks) <= 1
        number = Counter(event.fault for episode in head for event in episode.faults)
        assert max(number.values(), default=0) - min(number[name] for name in FAULTS) <= 2
        first = min(end, len(plan.networks))
        assert abs(end - number.total() - first - 0.2 * (end - first)) <= 4


def test_every_network_starts_with_an_hour_without_a_fault(plan: RecordingPlan) -> None:
    started: set[str] = set()
    for episode in plan.episodes:
        assert episode.network in started or not episode.faults
        started.add(episode.network)


def test_no_network_has_the_same_fault_twice_in_a_row(plan: RecordingPlan) -> None:
    for name in plan.networks:
        faults = [event.fault for episode in plan.episodes if episode.network == name for event in episode.faults]
        assert all(earlier != later for earlier, later in itertools.pairwise(faults))


def test_each_fault_is_early_mild_and_strong(plan: RecordingPlan) -> None:
    severities: dict[str, list[float]] = defaultdict(list)
    for episode in plan.episodes:
        for event in episode.faults:
            severities[event.fault].append(event.severity)
            assert SHORTEST <= event.length <= LONGEST
            assert event.start >= EARLIEST
            assert 120 <= event.recovery <= 180
            assert event.recovery_end <= episode.length - 60
    for fault, drawn in severities.items():
        middle = MIN_SEVERITY[fault] ** 0.5
        assert min(drawn) >= MIN_SEVERITY[fault]
        assert min(drawn[:3]) < middle < max(drawn[:3]), fault
        assert (drawn.count(1.0) == 2) == (fault in OUTAGES)


def test_networks_differ_and_have_little_traffic(plan: RecordingPlan) -> None:
    networks = list(plan.networks.values())
    for key in ("subscribers", "expiry", "load"):
        assert len({getattr(network, key) for network in networks}) == len(networks), key
    for network in networks:
        assert 0.3 < network.subscribers / (network.expiry * network.refresh_at) < 2.6
        assert network.load.calls_per_hour * network.subscribers / 3600 < 3.5


def test_hours_of_a_network_follow_one_another(plan: RecordingPlan) -> None:
    starts_by_name = timeline.episode_starts(plan)
    for name in plan.networks:
        episodes = [episode for episode in plan.episodes if episode.network == name]
        starts = [starts_by_name[episode.name] for episode in episodes]
        assert all(later - earlier == 3_600_000_000 for earlier, later in itertools.pairwise(starts))
        assert all(start // 3_600_000_000 % 24 == episode.hour for start, episode in zip(starts, episodes, strict=True))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("length = 3600.0", "length = 3601.0", "whole minute"),
        ("hour = ", "hour = 1", "without a gap"),
        ("day_length = 86400.0", "day_length = 3600.0", "86,400"),
    ],
)
def test_episodes_without_a_valid_data_time_are_refused(old: str, new: str, rule: str) -> None:
    text = draw_plan(1, 3, 1)
    last = text.rindex(old)
    plan = parse(text[:last] + new + text[last + len(old) :], FAULTS)
    with pytest.raises(UsageError, match=rule):
        timeline.episode_starts(plan)
