"""Each fault changes the expected figures in the right direction and does not change the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.table import FAULTS
from faultprint_lab.simulate.network.request_kinds import RequestKind, mask_of

Figures = Callable[..., tuple[dict[str, float], dict[str, float]]]
SEEDS = (11, 12, 13)

INITIAL, REFRESH, ORIG, TERM = (
    "in REGISTER.initial",
    "in REGISTER.refresh",
    "in INVITE.originating",
    "in INVITE.terminating",
)


def test_the_table_holds_the_faults() -> None:
    assert list(FAULTS) == [
        "hss-link-down",
        "hss-slow",
        "hss-errors",
        "traffic-blocked",
        "core-leg-down",
        "link-at-capacity",
        "scscf-down",
        "dns-slow",
        "packet-loss",
        "registration-storm",
        "as-failing",
        "pcrf-down",
        "overload",
    ]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_severities_range_from_the_minimum_to_one(fault: SimulatedFault) -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([fault.draw_severity(rng) for _ in range(4000)])
    assert fault.min_severity <= drawn.min() < 1.2 * fault.min_severity
    assert drawn.max() <= 1
    assert abs((drawn == 1).mean() - fault.total) < 0.03
    partial = np.log(drawn[drawn < 1])
    assert abs(partial.mean() - np.log(fault.min_severity) / 2) < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lost_hss_link_fails_registrations_but_no_bye(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("hss-link-down", 1.0, seed)
    assert before[f"{INITIAL} failed"] < 0.1 < 0.9 < during[f"{INITIAL} failed"]
    assert during[f"{INITIAL} attempts"] > 2 * before[f"{INITIAL} attempts"]
    assert during.get(f"{TERM} attempts", 0) == 0
    assert during.get("in BYE ok", 1) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_hss_delays_registrations_and_fails_none(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("hss-slow", 1.0, seed, seconds=2.0, spread=0.05, refresh_asks=1.0)
    assert during["out REGISTER.refresh delay"] > 1.5 + before["out REGISTER.refresh delay"]
    assert during["out REGISTER.refresh again"] > 1 + before["out REGISTER.refresh again"]
    assert during[f"{REFRESH} failed"] < 0.05
    assert during["in BYE delay"] < 2 * before["in BYE delay"]


@pytest.mark.parametrize("seed", SEEDS)
def test_errors_of_the_hss_come_immediately(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("hss-errors", 0.6, seed, by_user=False, refresh_asks=1.0)
    assert during[f"{REFRESH} failed"] > 0.4 > 0.1 > before[f"{REFRESH} failed"]
    assert during[f"{REFRESH} again"] < before[f"{REFRESH} again"] + 0.6
    assert during.get("in BYE ok", 1) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_block_on_both_sides_stops_all_traffic(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("traffic-blocked", 1.0, seed, side="both")
    assert before[f"{ORIG} attempts"] > 2
    assert not any(value for name, value in during.items() if name.endswith(" attempts") and name.startswith("in "))


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_to_blocked_handsets_time_out(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("traffic-blocked", 0.9, seed, side="both")
    assert during["out INVITE.terminating timeout"] > 0.7 > before["out INVITE.terminating timeout"]
    assert during[f"{REFRESH} attempts"] < 0.4 * before[f"{REFRESH} attempts"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_core_leg_that_is_down_causes_retransmissions_until_the_timeout(
    before_and_during: Figures, seed: int
) -> None:
    before, during = before_and_during("core-leg-down", 1.0, seed, noticed=0.0)
    assert during.get(f"{TERM} attempts", 0) == 0 < before[f"{TERM} attempts"]
    assert during["out REGISTER.refresh timeout"] == 1
    assert during["out REGISTER.refresh again"] == 10
    assert during["out INVITE.originating again"] == 6
    assert during[f"{REFRESH} again"] > 2 + before[f"{REFRESH} again"]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_intermittent_core_leg_causes_retransmissions_that_succeed(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("core-leg-down", 0.5, seed, by_user=False, cycle=6.0, noticed=0.0)
    assert 0.5 < during["out REGISTER.refresh again"] < 5
    assert during["out REGISTER.refresh timeout"] < 0.05
    assert during[f"{REFRESH} ok"] > before[f"{REFRESH} ok"] - 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_blocked_downlink_causes_retransmissions_by_the_handsets(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("traffic-blocked", 1.0, seed, side="downlink")
    assert during[f"{REFRESH} again"] >= 10 > before[f"{REFRESH} again"]
    assert during[f"{TERM} failed"] > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_link_delays_all_requests(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("link-at-capacity", 0.6, seed)
    for leg in ("in", "out"):
        assert during[f"{leg} REGISTER.refresh delay"] > 0.5 + before[f"{leg} REGISTER.refresh delay"]
    assert during["out REGISTER.refresh again"] > before["out REGISTER.refresh again"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_limited_link_changes_nothing_at_low_load(before_and_during: Figures, seed: int) -> None:
    low_load = 1.5 * 3600.0
    before, during = before_and_during("link-at-capacity", 0.6, seed, start=low_load, capacity=0.9)
    without_fault = before_and_during("packet-loss", 0.0, seed, start=low_load)[1]
    assert during[f"{REFRESH} delay"] == pytest.approx(without_fault[f"{REFRESH} delay"], rel=0.15)
    assert during["out REGISTER.refresh again"] <= without_fault["out REGISTER.refresh again"] + 0.02
    assert during[f"{REFRESH} ok"] == pytest.approx(before[f"{REFRESH} ok"], abs=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hung_scscf_causes_timeouts_for_its_subscribers(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during(
        "scscf-down", 0.4, seed, by_user=True, cycle=0.0, hung=1.0, hung_register=1.0, moves=0.0
    )
    assert before["out BYE timeout"] < 0.1
    assert during["out REGISTER.refresh timeout"] > 0.03 + before["out REGISTER.refresh timeout"]
    assert during["out REGISTER.initial timeout"] > 0.3 + before["out REGISTER.initial timeout"]
    assert during[f"{TERM} attempts"] < 0.8 * before[f"{TERM} attempts"]
    assert during["out MESSAGE ok"] > 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_dns_delays_the_node_and_not_the_core(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("dns-slow", 0.9, seed, waits=1.0, seconds=2.0)
    assert during[f"{REFRESH} delay"] > 1 + before[f"{REFRESH} delay"]
    assert during["out REGISTER.refresh delay"] < 1.5 * before["out REGISTER.refresh delay"]
    assert during["in BYE delay"] < 2 * before["in BYE delay"]


@pytest.mark.parametrize("seed", SEEDS)
def test_failed_dns_lookups_are_refused_and_not_forwarded(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("dns-slow", 1.0, seed, waits=0.0)
    assert during[f"{REFRESH} failed"] == 1 > before[f"{REFRESH} failed"]
    assert during.get("out REGISTER.refresh attempts", 0) == 0 < before["out REGISTER.refresh attempts"]


@pytest.mark.parametrize("seed", SEEDS)
def test_packet_loss_causes_retransmissions_and_few_failures(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("packet-loss", 0.3, seed, gm=1.0, mw=1.0)
    assert during[f"{REFRESH} again"] > before[f"{REFRESH} again"] + 0.05
    assert during["out REGISTER.refresh again"] > before["out REGISTER.refresh again"] + 0.1
    assert during[f"{REFRESH} failed"] < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_causes_many_registrations_that_mostly_succeed(before_and_during: Figures, seed: int) -> None:
    """A handset with a binding sends a refresh, as a probe counts it; a handset that was off sends an initial one."""
    draws = {"refused": 0.0, "decays": False, "strain": 0.0}
    before, during = before_and_during("registration-storm", 0.5, seed, **draws, newcomers=0.0)
    assert during[f"{REFRESH} attempts"] > 3 * before[f"{REFRESH} attempts"]
    assert during[f"{REFRESH} ok"] + during[f"{REFRESH} challenged"] > 0.85
    assert during[f"{INITIAL} attempts"] < 3 * before[f"{INITIAL} attempts"]
    before, during = before_and_during("registration-storm", 0.5, seed, **draws, newcomers=1.0)
    assert during[f"{INITIAL} attempts"] > 1.5 * before[f"{INITIAL} attempts"]
    assert during[f"{ORIG} attempts"] < 2 * before[f"{ORIG} attempts"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failing_application_server_fails_calls_and_no_registration(before_and_during: Figures, seed: int) -> None:
    services = mask_of(RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM)
    before, during = before_and_during("as-failing", 0.8, seed, services=services, continued=0.0)
    assert during[f"{ORIG} failed"] > 0.2 + before[f"{ORIG} failed"]
    assert during[f"{TERM} attempts"] < 0.7 * before[f"{TERM} attempts"]
    assert during[f"{REFRESH} failed"] < 0.05
    assert during["in BYE attempts"] < before["in BYE attempts"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pcrf_that_is_down_cancels_ringing_calls_on_both_legs(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("pcrf-down", 1.0, seed, through=0.0, sent="ringing", registers=0.0)
    assert during[f"{ORIG} ok"] < 0.05 < before[f"{ORIG} ok"]
    assert during["out CANCEL attempts"] > 2 * before.get("out CANCEL attempts", 0)
    assert during[f"{REFRESH} failed"] < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pcrf_that_is_down_at_the_answer_makes_the_callee_repeat_its_200(
    before_and_during: Figures, seed: int
) -> None:
    before, during = before_and_during("pcrf-down", 1.0, seed, through=0.0, sent="answer", registers=1.0, silent=True)
    assert during[f"{ORIG} ok"] < 0.05 < before[f"{ORIG} ok"]
    assert during["out INVITE.originating ok"] > 0.3
    assert during["out INVITE.originating answers again"] > 2 + before["out INVITE.originating answers again"]
    assert during[f"{INITIAL} timeout"] > 0.3 + before[f"{INITIAL} timeout"]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_overloaded_node_loses_messages_beyond_its_buffer(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("overload", 1.0, seed, sheds=0.0, drops=1.0, drops_from=0.1, seconds=0.1)
    assert during[f"{REFRESH} again"] > 1 + before[f"{REFRESH} again"]
    assert during["in MESSAGE timeout"] > 0.03 + before["in MESSAGE timeout"]


@pytest.mark.parametrize("seed", SEEDS)
def test_overload_delays_every_in_leg_and_no_out_leg(before_and_during: Figures, seed: int) -> None:
    before, during = before_and_during("overload", 0.9, seed, sheds=0.0, drops=0.0)
    for method in ("REGISTER.refresh", "BYE", "MESSAGE"):
        assert during[f"in {method} delay"] > 0.5 + before[f"in {method} delay"]
        assert during[f"out {method} delay"] < 1.5 * before[f"out {method} delay"]
    assert during[f"{REFRESH} again"] > before[f"{REFRESH} again"]
