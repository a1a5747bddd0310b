"""Peers and disks that break: the monitor goes on, says so once, and catches up; in order, and nothing under two ids."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.synthetic import minutes

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.config.settings import RetrySettings, Settings
from faultprint.monitor.config.sinks import FileSinkSettings, SinkSettings, VesSinkSettings
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.deliver import sinks
from faultprint.monitor.deliver.delivery import DeliveryWorker
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.state.connect import connect
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, Incident, IncidentOperation, Severity
from faultprint.publish.routes import json_line_messages, ves_messages
from faultprint.publish.ves.event import VesSettings

from ..publish.collector import Act, Request, answer, drips, free_port, hangs_up, is_silent, says, serving
from ..publish.conftest import Pki
from .conftest import Deployment, Log, Watch, feed

MINUTE = 60_000_000
QUICK = RetrySettings(first_seconds=0.02, longest_seconds=0.02, timeout_seconds=1.0)
BATCH = pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])


class Office:
    """A courier at work on a state file, and incidents to tell of."""

    def __init__(self, deployment: Deployment, folder: Path, store: Store, settings: SinkSettings) -> None:
        whole = Settings(deployment.model_path, deployment.library_path, folder / "state.db", retry=QUICK)
        (sink,) = sinks.sinks_for(settings, whole, deployment.model, np.random.default_rng(1))
        self.log, self.number, self.store = Log(), 0, store
        self.courier = DeliveryWorker(
            sink, folder / "state.db", 1000, sinks.backoff(QUICK), np.random.default_rng(2), ReplayClock(), self.log
        )

    def tell(self, count: int) -> None:
        """So many new incidents."""
        at = [(self.number + step) * MINUTE for step in range(count)]
        self.number += count
        begun = [Incident.begin("n", "net", "overload", Severity.MAJOR, one, one) for one in at]
        messages = [("v", message) for incident in begun for message in ves_messages(incident, VesSettings())]
        self.store.save_commands(begun, messages)
        self.courier.wake()

    def wait_for(self, event: str) -> None:
        limit = time.monotonic() + 60
        while event not in self.log.events():
            assert time.monotonic() < limit, f"{event!r} was never told"
            time.sleep(0.01)

    def wanted(self) -> list[int]:
        """The onsets of all incidents, in order."""
        return [number * MINUTE for number in range(self.number)]


@contextmanager
def office(deployment: Deployment, folder: Path, port: int, **more: Any) -> Iterator[Office]:
    scheme = "https" if "ca_file" in more else "http"
    settings = VesSinkSettings("v", url=f"{scheme}://127.0.0.1:{port}", **more)
    with Store(folder / "state.db") as store:
        one = Office(deployment, folder, store, settings)
        one.courier.start()
        try:
            yield one
        finally:
            one.courier.stop()


def onsets(requests: Sequence[Request]) -> list[int]:
    """The starts of the incidents that requests tell of, each message once, by its id."""
    bodies = {request.headers["idempotency-key"]: request.body for request in requests}
    assert len({(request.headers["idempotency-key"], request.body) for request in requests}) == len(bodies)
    decoded = map(json.loads, bodies.values())
    events = [event for body in decoded for event in body.get("eventList") or [body["event"]]]
    return [event["commonEventHeader"]["startEpochMicrosec"] for event in events]


@BATCH
def test_a_collector_that_is_down_is_waited_for(deployment: Deployment, tmp_path: Path, batch: bool) -> None:
    port = free_port()
    with office(deployment, tmp_path, port, batch=batch) as one:
        one.tell(3)
        one.wait_for("sink_unreachable")
        one.tell(120)  # more than one round, and more than one batch
        time.sleep(0.3)
        assert one.courier.counts.retried > 2 and one.courier.counts.unreachable
        with serving(answer(202), port=port) as collector:
            assert one.courier.drain(60)
        assert one.log.events() == ["sink_unreachable", "sink_reachable"] and not one.courier.counts.unreachable
    assert onsets(collector.requests) == one.wanted()
    assert (len(collector.requests) == 123) is not batch


TROUBLE: dict[str, Act] = {
    "answers 500": answer(500, b"broken"),
    "answers 503": answer(503),
    "answers 429": answer(429, b"", "Retry-After: 1"),
    "never answers": is_silent,
    "is slow": drips([bytes([byte]) for byte in b"HTTP/1.1 202 Accepted\r\n"], 0.2),
    "hangs up": hangs_up,
    "closes in its status": says(b"HTTP/1.1 20"),
    "closes in its headers": says(b"HTTP/1.1 \r\n"),
    "is no HTTP": says(b"\x16\x03\x01\x00"),
}


@pytest.mark.parametrize("name", TROUBLE)
@BATCH
def test_a_collector_in_trouble_gets_everything_afterwards(
    deployment: Deployment, tmp_path: Path, name: str, batch: bool
) -> None:
    with (
        serving(answer(202), TROUBLE[name], TROUBLE[name], answer(202)) as collector,
        office(deployment, tmp_path, collector.port, batch=batch) as one,
    ):
        one.tell(4)
        assert one.courier.drain(60)
        one.tell(3)
        assert one.courier.drain(60)
    assert one.log.events() == ["sink_unreachable", "sink_reachable"]
    assert onsets(collector.requests) == one.wanted()
    # A kept connection that was closed without an answer is tried again at once, by the sender.
    assert one.courier.counts.delivered == 7 and one.courier.counts.retried == (1 if name == "hangs up" else 2)


def test_an_answer_that_breaks_off_after_its_status_is_an_answer(deployment: Deployment, tmp_path: Path) -> None:
    broken = says(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nonly")
    with serving(broken, answer(202)) as collector, office(deployment, tmp_path, collector.port, batch=False) as one:
        one.tell(3)
        assert one.courier.drain(60)
    assert len(collector.requests) == 3 and not one.log


def test_a_collector_with_a_stranger_s_certificate_hears_nothing(
    deployment: Deployment, tmp_path: Path, pki: Pki
) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stranger.load_cert_chain(pki.file("other.pem"), pki.file("other.key"))
    port = free_port()
    with office(deployment, tmp_path, port, ca_file=pki.file("authority.pem"), batch=False) as one:
        with serving(answer(202), context=stranger, port=port) as collector:
            one.tell(3)
            one.wait_for("sink_unreachable")
        assert not collector.requests
        with serving(answer(202), context=pki.server(), port=port) as collector:
            assert one.courier.drain(60)
    assert [(event, fields.get("outcome")) for event, fields in one.log] == [
        ("sink_unreachable", "refused"),
        ("sink_reachable", None),
    ]
    assert onsets(collector.requests) == one.wanted()


def test_a_collector_that_restarts_again_and_again(deployment: Deployment, tmp_path: Path) -> None:
    port, requests = free_port(), []
    with office(deployment, tmp_path, port) as one:
        for _ in range(4):
            one.tell(5)
            with serving(answer(202), port=port) as collector:
                assert one.courier.drain(60)
            requests += collector.requests
            one.tell(2)
            time.sleep(0.1)
        found = onsets(requests)
    assert found == one.wanted()[:26]
    told = one.log.events()
    assert told == (["sink_unreachable", "sink_reachable"] * len(told))[: len(told)]


def fill(folder: Path) -> Path:
    """Leave no byte on the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def test_a_full_disk_under_a_file_sink(deployment: Deployment, tmp_path: Path, small_disk: Path) -> None:
    settings = FileSinkSettings("v", small_disk / "lines.jsonl")
    with Store(tmp_path / "state.db") as store:
        one = Office(deployment, tmp_path, store, settings)
        one.courier.start()
        try:
            ballast = fill(small_disk)
            begun = [Incident.begin("n", "net", "overload", Severity.MAJOR, at * MINUTE, 0) for at in range(20)]
            store.save_commands(
                begun, [("v", message) for incident in begun for message in json_line_messages(incident)]
            )
            one.courier.wake()
            one.wait_for("sink_unreachable")
            assert (small_disk / "lines.jsonl").read_bytes() == b""
            ballast.unlink()
            assert one.courier.drain(60)
        finally:
            one.courier.stop()
    assert one.log.events() == ["sink_unreachable", "sink_reachable"]
    lines = [json.loads(line) for line in (small_disk / "lines.jsonl").read_text().splitlines()]
    assert [line["incident"] for line in lines] == [str(incident.identity) for incident in begun]


def test_a_full_disk_under_the_outbox_makes_no_message_go_twice(deployment: Deployment, small_disk: Path) -> None:
    """What was delivered is not sent again because it could not be taken out of the outbox."""
    port = free_port()
    with office(deployment, small_disk, port, batch=False) as one:
        one.tell(30)
        one.wait_for("sink_unreachable")
        ballast = fill(small_disk)
        with serving(answer(202), port=port) as collector:
            one.wait_for("write_failing")
            time.sleep(0.2)
            ballast.unlink()
            assert one.courier.drain(60)
    assert len(collector.requests) == 30 and onsets(collector.requests) == one.wanted()
    assert one.log.events().count("write_failing") == one.log.events().count("write_recovered")
    outbox = Outbox(small_disk / "state.db", "v", 1)
    assert len(outbox) == 0
    outbox.close()


def test_a_full_disk_under_the_monitor(watch: Watch, tmp_path: Path, small_disk: Path, deployment: Deployment) -> None:
    """Deeds and minutes wait, both are told once, and nothing is missing afterwards."""
    table, log = minutes("beta-1", 140, [(100, 140, "bye-slow")], seed=2), Log()
    state = small_disk / "state.db"
    with watch(log, state=state) as monitor:
        feed(monitor, table[:135], end=False)
        (incident,) = monitor.incidents.open.values()
        CommandQueue(state).submit(
            [incident], IncidentOperation.ACKNOWLEDGE, Actor("m.keller", "noc", monitor.closed_us)
        )
        with closing(connect(state)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # whatever is written next needs room
        ballast = fill(small_disk)
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                ballast.unlink()

        monitor.persistence.retry_write.sleep = sleep
        monitor.process("test", Batch(None, None))
        feed(monitor, table)
        assert all(courier.drain(60) for courier in monitor.workers)
        assert monitor.incidents.open["beta-1"].acknowledged_by
    told = [event for event, fields in log if fields.get("target") == "state"]
    assert told == ["write_failing", "write_recovered"] and len(pauses) == 3
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [line["change"] for line in lines].count("acknowledgement") == 1
    with Store(state) as store:
        assert sum(1 for _ in store.verdicts()) == 140 and not store.commands()


class Stepping(ReplayClock):
    """A clock that somebody puts back by an hour in the middle, and that NTP puts right a while later."""

    def __init__(self, begin: int, end: int) -> None:
        super().__init__()
        self.reads, self._begin, self._end = 0, begin, end

    def now_us(self) -> int:
        self.reads += 1
        return self.time_us - (60 * MINUTE if self._begin <= self.time_us // MINUTE < self._end else 0)


def test_a_clock_that_is_put_back_changes_nothing_and_is_told_once(watch: Watch, tmp_path: Path) -> None:
    table = minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2)
    first = int(table["minute"].to_physical()[0]) // MINUTE

    def run(clock: ReplayClock) -> tuple[list[str], list[Any]]:
        for file in tmp_path.iterdir():
            file.unlink()
        log = Log()
        with watch(log, clock) as monitor:
            feed(monitor, table)
            assert all(courier.drain(60) for courier in monitor.workers)
            assert not monitor.buffer.refused
        with Store(tmp_path / "state.db") as store:
            verdicts = [packed.rows for packed in store.verdicts()]
        return log.events(), [verdicts, (tmp_path / "lines.jsonl").read_text()]

    calm, wanted = run(ReplayClock())
    stepped, found = run(Stepping(first + 110, first + 114))
    assert found == wanted and len(wanted[0]) == 140 and "onset" in wanted[1]
    assert [event for event in stepped if event not in calm] == ["clock_moved_back", "clock_caught_up"]
