"""Parallel workers: how many run at a time, and the effect of a failure on the others."""

from __future__ import annotations

import threading

import pytest

from faultprint_lab.testbed.recording.parallel import run_parallel


def test_all_workers_end_and_no_more_than_the_limit_run_at_a_time() -> None:
    lock, together = threading.Lock(), threading.Barrier(2, timeout=10)
    running: list[int] = [0]
    most: list[int] = []

    def worker() -> None:
        with lock:
            running[0] += 1
            most.append(running[0])
        together.wait()
        with lock:
            running[0] -= 1

    stop = threading.Event()
    run_parallel([worker] * 6, 2, stop)
    assert (len(most), max(most), running[0]) == (6, 2, 0)
    assert not stop.is_set()


def test_the_first_failure_stops_the_others_and_is_raised_at_the_end() -> None:
    stop, started, ended = threading.Event(), threading.Event(), threading.Event()

    def fails() -> None:
        assert started.wait(10)
        raise OSError("died")

    def waits_for_stop() -> None:
        started.set()
        assert stop.wait(10)
        ended.set()

    with pytest.raises(OSError, match="died"):
        run_parallel([waits_for_stop, fails], 2, stop)
    assert ended.is_set()
