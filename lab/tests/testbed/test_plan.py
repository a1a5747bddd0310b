"""Plans: defaults, and errors in one sentence."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.faults.injector import on_off_times
from faultprint_lab.testbed.plan import FaultEvent, parse, read

GOOD = """
seed = 7
[networks.coast]
subscribers = 800
t1_ms = 400
[networks.coast.load]
calls_per_hour = 9
[[episodes]]
network = "coast"
length = 900
[[episodes.faults]]
fault = "packet-loss"
start = 300
length = 200
severity = 0.4
recovery = 60
"""


def test_a_plan_is_read_with_defaults() -> None:
    plan = parse(GOOD, FAULTS)
    network = plan.networks["coast"]
    assert (network.name, network.subscribers, network.t1_ms, network.load.calls_per_hour) == ("coast", 800, 400, 9.0)
    (episode,) = plan.episodes
    assert (episode.name, episode.length, episode.hour) == ("001-coast", 900.0, 12.0)
    assert episode.faults == (FaultEvent("packet-loss", 300.0, 200.0, 0.4, 60.0),)
    assert plan.seconds == 900


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 7", "seed = -7", "seed -7 must be a whole number"),
        ("seed = 7", "sed = 7", "key 'sed' is none of episodes, networks, seed"),
        ("subscribers = 800", "subscriber = 800", "networks.coast: key 'subscriber' is none of"),
        ("subscribers = 800", "subscribers = 0", "subscribers 0 must be from 1"),
        ("subscribers = 800", 'subscribers = "many"', "subscribers 'many' must be of type int"),
        ("subscribers = 800", "subscribers = true", "subscribers True must be of type int"),
        ("t1_ms = 400", "t1_ms = -4", "t1_ms -4 must not be negative"),
        ("t1_ms = 400", "expiry = 5", "expiry 5 must be 30 s or more"),
        ("calls_per_hour = 9", "answered = 0.99", "together must not exceed 1"),
        ("calls_per_hour = 9", "calls_per_hour = nan", "calls_per_hour nan must be of type float"),
        ('network = "coast"', 'network = "hills"', "network 'hills' is none of coast"),
        ('network = "coast"', 'network = "coast"\nname = "a/b"', "name 'a/b' must consist of letters"),
        ("length = 900", "length = 0", "length 0.0 must be above 0"),
        ("length = 900\n", "", "lacks 'length'"),
        ("length = 900", "length = 500", "beyond the 500 s recorded"),
        ('"packet-loss"', '"gremlins"', "fault 'gremlins' is none of hss-link-down"),
        ("severity = 0.4", "severity = 1.4", "severity 1.4 must be above 0 and at most 1"),
        ("start = 300", "begin = 300", "key 'begin' is none of"),
        ("[[episodes]]", "[[episode]]", "key 'episode'"),
        ("seed = 7", "seed == 7", "is no TOML"),
    ],
)
def test_an_error_is_named_in_one_sentence(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        parse(GOOD.replace(old, new, 1), FAULTS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faults_must_not_overlap_with_recoveries() -> None:
    second = '[[episodes.faults]]\nfault = "dns-slow"\nstart = 550\nlength = 20\nrecovery = 10\n'
    with pytest.raises(UsageError, match="dns-slow starts at 550 s, before the recovery of the previous fault ends"):
        parse(GOOD + second, FAULTS)
    parse(GOOD + second.replace("550", "560"), FAULTS)


def test_two_episodes_of_one_name_are_refused() -> None:
    episode = '[[episodes]]\nnetwork = "coast"\nname = "x"\nlength = 9\n'
    with pytest.raises(UsageError, match="two episodes are named 'x'"):
        parse(GOOD + episode + episode, FAULTS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.toml cannot be read"):
        read(tmp_path / "none.toml", FAULTS)


def test_an_intermittent_fault_is_on_for_its_share() -> None:
    event = FaultEvent("hss-link-down", 100.0, 2000.0, 0.3)
    events = list(on_off_times(FAULTS["hss-link-down"], event, np.random.default_rng(1)))
    times = [second for _, second in events]
    assert times == sorted(times)
    assert times[0] == 100.0
    assert times[-1] == 2100.0
    on = sum(off - second for (is_on, second), (_, off) in itertools.pairwise(events) if is_on)
    assert on / 2000 == pytest.approx(0.3, abs=0.03)
    assert list(on_off_times(FAULTS["hss-slow"], event, np.random.default_rng(1))) == [(True, 100.0), (False, 2100.0)]
