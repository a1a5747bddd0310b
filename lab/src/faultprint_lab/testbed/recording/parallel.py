"""Lanes of work side by side, which a failure, Ctrl-C or SIGTERM ends for all."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager


def run_parallel(lanes: Sequence[Callable[[], None]], parallel: int, stop: threading.Event) -> None:
    """Run the lanes, up to `parallel` at a time, until all have ended.

    The first failure sets `stop`, which the lanes must heed, and is raised when they have; so is KeyboardInterrupt, on
    Ctrl-C and SIGTERM.
    """
    with _interruptible(), ThreadPoolExecutor(max(1, parallel)) as pool:
        try:
            _await_all([pool.submit(lane) for lane in lanes])
        except BaseException:
            stop.set()
            raise


def _await_all(lanes: Sequence[Future[None]]) -> None:
    """Wait for all; the first that fails ends it."""
    pending = set(lanes)
    while pending:
        # With a time-out: a library that handles SIGINT before Python does may have an endless wait go on after it.
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        for lane in done:
            lane.result()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM interrupts as Ctrl-C does; elsewhere than in the main thread nothing can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
