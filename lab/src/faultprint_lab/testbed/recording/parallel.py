"""Run functions in parallel; a failure, Ctrl-C or SIGTERM stops all of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager


def run_parallel(workers: Sequence[Callable[[], None]], parallel: int, stop: threading.Event) -> None:
    """Run the workers, up to `parallel` at a time, until all have ended.

    The first failure sets `stop` and is raised when all workers have ended; they must check `stop`. Ctrl-C and SIGTERM
    do the same with KeyboardInterrupt.
    """
    with _interruptible(), ThreadPoolExecutor(max(1, parallel)) as pool:
        try:
            _await_all([pool.submit(worker) for worker in workers])
        except BaseException:
            stop.set()
            raise


def _await_all(futures: Sequence[Future[None]]) -> None:
    """Wait for all; raises the first failure."""
    pending = set(futures)
    while pending:
        # With a timeout: if a library handles SIGINT before Python, a wait without timeout would not end.
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt as Ctrl-C does; this is possible in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
