"""Retransmissions follow the timers of RFC 3261 and the back-off of TCP."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.simulate.network.timers import (
    count_retransmissions,
    delay_after_losses,
    retransmission_times,
    tcp_delay_after_losses,
)


def test_timer_e_retransmits_ten_times_and_timer_a_six() -> None:
    """RFC 3261, 17.1.1.2 and 17.1.2.2, with T1 = 500 ms and T2 = 4 s."""
    assert retransmission_times(0.5, invite=False).tolist() == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert retransmission_times(0.5, invite=True).tolist() == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_radio_side_timers_start_at_two_seconds() -> None:
    assert retransmission_times(2.0, invite=False).tolist() == [2.0, 6.0, 14.0, 30.0]


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from([0.5, 1.0, 2.0]), st.booleans()), max_size=20))
def test_counts_equal_a_slow_loop(requests: list[tuple[float, float, bool]]) -> None:
    answered, t1, invite = (np.array([row[i] for row in requests]) for i in range(3))
    counted = count_retransmissions(answered, t1, invite.astype(bool))
    for time, first, is_invite, count in zip(answered, t1, invite, counted, strict=True):
        slow, moment, wait = 0, first, first
        while moment < min(time, 32.0):
            slow += 1
            wait = 2 * wait if is_invite else min(2 * wait, 8 * first)
            moment += wait
        assert count == slow


def test_a_lost_request_waits_for_its_next_timer() -> None:
    losses = np.array([0, 1, 2, 6, 7, 12])
    half = np.full(6, 0.5)
    assert delay_after_losses(losses, half, np.ones(6, bool)).tolist() == [0, 0.5, 1.5, 31.5, np.inf, np.inf]


def test_tcp_doubles_its_timeout() -> None:
    assert tcp_delay_after_losses(np.array([0, 1, 2, 3])) == pytest.approx([0, 0.25, 0.75, 1.75])
