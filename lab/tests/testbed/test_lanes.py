"""Lanes side by side: how many at a time, and what the failure of one does to the others."""

from __future__ import annotations

import threading

import pytest

from faultprint_lab.testbed.recording.parallel import run_parallel


def test_all_lanes_end_and_no_more_than_wanted_run_at_a_time() -> None:
    lock, together = threading.Lock(), threading.Barrier(2, timeout=10)
    running: list[int] = [0]
    most: list[int] = []

    def lane() -> None:
        with lock:
            running[0] += 1
            most.append(running[0])
        together.wait()
        with lock:
            running[0] -= 1

    stop = threading.Event()
    run_parallel([lane] * 6, 2, stop)
    assert (len(most), max(most), running[0]) == (6, 2, 0)
    assert not stop.is_set()


def test_the_first_failure_stops_the_others_and_is_raised_when_they_have_ended() -> None:
    stop, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def fails() -> None:
        assert begun.wait(10)
        raise OSError("died")

    def heeds() -> None:
        begun.set()
        assert stop.wait(10)
        ended.set()

    with pytest.raises(OSError, match="died"):
        run_parallel([heeds, fails], 2, stop)
    assert ended.is_set()
