"""Plans drawn at random: balanced, useful when cut short, and fit to be recorded."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.faults.faults import FAULTS
from faultprint_lab.testbed.plan import TestbedPlan, parse
from faultprint_lab.testbed.recording import timeline
from faultprint_lab.testbed.recording.campaign import (
    EARLIEST,
    LEAST_SEVERITY,
    LONGEST,
    OUTAGES,
    SHORTEST,
    draw,
)


@pytest.fixture(scope="module", params=[1, 2, 3])
def plan(request: pytest.FixtureRequest) -> TestbedPlan:
    return parse(draw(10, 10, request.param), FAULTS)


def test_every_fault_has_its_least_severity() -> None:
    assert set(LEAST_SEVERITY) == set(FAULTS)
    assert set(FAULTS) > OUTAGES


def test_the_seed_decides() -> None:
    assert draw(3, 4, 7) == draw(3, 4, 7)
    assert draw(3, 4, 7) != draw(3, 4, 8)


@pytest.mark.parametrize(("networks", "hours"), [(1, 1), (2, 1), (1, 9), (13, 3), (4, 26)])
def test_any_size_is_a_plan_that_can_be_recorded(networks: int, hours: int) -> None:
    plan = parse(draw(networks, hours, 5), FAULTS)
    assert len(plan.networks) == networks
    assert len(plan.episodes) == networks * hours
    assert len(timeline.starts(plan)) == networks * hours


def test_faults_are_balanced_over_the_plan_and_over_networks(plan: TestbedPlan) -> None:
    where: dict[str, set[str]] = defaultdict(set)
    number: Counter[str] = Counter()
    for episode in plan.episodes:
        for strike in episode.faults:
            where[strike.fault].add(episode.network)
            number[strike.fault] += 1
    assert set(number) == set(FAULTS)
    assert set(number.values()) == {5, 6}
    assert sum(number.values()) == 72
    assert all(len(networks) >= 5 for networks in where.values())
    free = Counter(episode.network for episode in plan.episodes if not episode.faults)
    assert set(free.values()) == {2, 3}


def test_every_prefix_is_balanced(plan: TestbedPlan) -> None:
    for end in range(1, len(plan.episodes) + 1):
        head = plan.episodes[:end]
        hours = Counter(episode.network for episode in head)
        assert max(hours.values()) - min(hours[name] for name in plan.networks) <= 1
        number = Counter(strike.fault for episode in head for strike in episode.faults)
        assert max(number.values(), default=0) - min(number[name] for name in FAULTS) <= 2
        first = min(end, len(plan.networks))
        assert abs(end - number.total() - first - 0.2 * (end - first)) <= 4


def test_every_network_begins_with_an_hour_without_a_fault(plan: TestbedPlan) -> None:
    begun: set[str] = set()
    for episode in plan.episodes:
        assert episode.network in begun or not episode.faults
        begun.add(episode.network)


def test_no_network_suffers_the_same_fault_twice_in_a_row(plan: TestbedPlan) -> None:
    for name in plan.networks:
        met = [strike.fault for one in plan.episodes if one.network == name for strike in one.faults]
        assert all(earlier != later for earlier, later in itertools.pairwise(met))


def test_each_fault_is_met_mild_and_strong_early_on(plan: TestbedPlan) -> None:
    severities: dict[str, list[float]] = defaultdict(list)
    for episode in plan.episodes:
        for strike in episode.faults:
            severities[strike.fault].append(strike.severity)
            assert SHORTEST <= strike.length <= LONGEST
            assert strike.start >= EARLIEST
            assert 120 <= strike.recovery <= 180
            assert strike.over <= episode.length - 60
    for fault, met in severities.items():
        middle = LEAST_SEVERITY[fault] ** 0.5
        assert min(met) >= LEAST_SEVERITY[fault]
        assert min(met[:3]) < middle < max(met[:3]), fault
        assert (met.count(1.0) == 2) == (fault in OUTAGES)


def test_networks_differ_and_few_requests_come_at_a_time(plan: TestbedPlan) -> None:
    networks = list(plan.networks.values())
    for key in ("subscribers", "expiry", "load"):
        assert len({getattr(network, key) for network in networks}) == len(networks), key
    for network in networks:
        assert 0.3 < network.subscribers / (network.expiry * network.refresh_at) < 2.6
        assert network.load.calls_per_hour * network.subscribers / 3600 < 3.5


def test_hours_of_a_network_follow_one_another(plan: TestbedPlan) -> None:
    begun = timeline.starts(plan)
    for name in plan.networks:
        own = [episode for episode in plan.episodes if episode.network == name]
        starts = [begun[episode.name] for episode in own]
        assert all(later - earlier == 3_600_000_000 for earlier, later in itertools.pairwise(starts))
        assert all(start // 3_600_000_000 % 24 == episode.hour for start, episode in zip(starts, own, strict=True))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("length = 3600.0", "length = 3601.0", "whole minute"),
        ("hour = ", "hour = 1", "without a gap"),
        ("day_length = 86400.0", "day_length = 3600.0", "86,400"),
    ],
)
def test_what_has_no_place_in_data_time_is_refused(old: str, new: str, rule: str) -> None:
    text = draw(1, 3, 1)
    last = text.rindex(old)
    plan = parse(text[:last] + new + text[last + len(old) :], FAULTS)
    with pytest.raises(UsageError, match=rule):
        timeline.starts(plan)
