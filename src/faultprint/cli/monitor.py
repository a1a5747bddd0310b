"""The commands `monitor` and `replay`: watch nodes live, or from a recording."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultprint.cli.options import INPUT, OUTPUT, StateType, json_option, report
from faultprint.errors import UsageError

if TYPE_CHECKING:
    from faultprint.monitor.base.interfaces import Clock
    from faultprint.monitor.base.location import StateLocation
    from faultprint.monitor.base.log import Log
    from faultprint.monitor.config.kafka import KafkaSettings
    from faultprint.monitor.config.settings import Settings
    from faultprint.monitor.deliver.delivery import DeliveryCounts
    from faultprint.monitor.monitor import Monitor
    from faultprint.monitor.serve.observed import Observed

config_option = click.option(
    "--config", type=INPUT, required=True, help="Configuration (TOML, docs/reference/monitor.md)."
)
dry_option = click.option(
    "--dry-run", is_flag=True, help="Print messages instead of sending them, and work on a copy of the state."
)


@click.command()
@config_option
@click.option(
    "--interface",
    "interfaces",
    multiple=True,
    metavar="IF",
    help="Also capture from this network interface; repeatable.",
)
@click.option(
    "--hep", multiple=True, metavar="HOST:PORT", help="Also receive HEP version 3 on this address; repeatable."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after this many seconds.  [default: run until SIGTERM]",
)
@dry_option
@json_option
def monitor(
    config: Path,
    interfaces: tuple[str, ...],
    hep: tuple[str, ...],
    seconds: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Watch the nodes of the configuration: a verdict every minute, incidents, and messages to the sinks.

    With [kafka] in the configuration it captures no packets. It shares the nodes on the topic with the other monitors of its
    consumer group.

    Logs are JSON lines on standard error. SIGTERM and Ctrl-C stop it after the current minute. Started again, also after a
    kill, it continues from there.
    """
    from dataclasses import replace

    from faultprint.monitor.base.interfaces import SystemClock
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.config import settings

    wanted = settings.read(config)
    probe = replace(
        wanted.probe,
        interfaces=(*wanted.probe.interfaces, *interfaces),
        hep=(*wanted.probe.hep, *hep),
    )
    clock = SystemClock()
    log = JsonLog(sys.stderr, clock)
    if wanted.kafka is None:
        result = _watch_packets(replace(wanted, probe=probe), clock, log, stop_when(seconds), dry_run)
    elif interfaces or hep:
        raise UsageError(
            "A monitor with [kafka] captures no packets; use --interface and --hep with `faultprint produce`."
        )
    elif dry_run:
        raise UsageError(
            "A dry run would take partitions from running monitors; use a recording with `faultprint replay --dry-run`."
        )
    else:
        result = _watch_topic(wanted, wanted.kafka, clock, log, stop_when(seconds))
    report(result, as_json)


def _watch_packets(wanted: Settings, clock: Clock, log: Log, stop: Callable[[], bool], dry_run: bool) -> dict[str, Any]:
    """Watch the traffic that the probe captures."""
    from faultprint.monitor.build import build_monitor
    from faultprint.monitor.ingest.probe import probe_source

    with (
        _location(wanted.state, dry_run) as state,
        build_monitor(wanted, clock, log, state=state, dry_run=sys.stdout if dry_run else None) as running,
        _serving(running, wanted, state, clock) as address,
    ):
        source = probe_source(wanted.probe, running.model.manifest.interval_us, running.buffer.lateness_us, clock, log)
        running.may_put_back = True
        log("started", nodes=running.nodes.known, http=address)
        running.run([source], stop)
        return _summary(running)


def _watch_topic(
    wanted: Settings, kafka: KafkaSettings, clock: Clock, log: Log, stop: Callable[[], bool]
) -> dict[str, Any]:
    """Watch as a member of a consumer group."""
    from faultprint.monitor.kafka.build import group_member

    partitions: list[dict[str, Any]] = []
    with (
        group_member(wanted, kafka, clock, log) as group,
        _serving(group, wanted, wanted.state, clock) as address,
    ):
        group.leaving.append(lambda monitor: partitions.append(_summary(monitor)))
        log("started", group=kafka.group, http=address)
        group.run(stop)
    return _sum(partitions)


@contextmanager
def _serving(
    observed: Observed, wanted: Settings, state: StateLocation, clock: Clock
) -> Iterator[tuple[str, int] | None]:
    """Serve metrics, health and alarms, unless http.port is 0."""
    if not wanted.http.port:
        yield None
        return
    from faultprint.monitor.serve.http import start_server

    server = start_server(wanted, observed, state, clock)
    try:
        observed.liveness.watch(server, lambda: server.failure)
        yield server.address
    finally:
        server.close()


@click.command()
@click.argument("recording", type=INPUT)
@config_option
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Speed factor; 1 is real time.  [default: as fast as possible]",
)
@click.option(
    "--state",
    type=StateType(),
    metavar="FILE|URL",
    help="State of the replay.  [default: next to the state of the configuration: FILE.replay, or SCHEMA_replay]",
)
@click.option("--out", type=OUTPUT, help="Write the kept verdicts to this file (Parquet).")
@click.option(
    "--drain-timeout",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds to wait at the end until the sinks have received all messages.",
)
@dry_option
@json_option
def replay(
    recording: Path,
    config: Path,
    speed: float | None,
    state: StateLocation | None,
    out: Path | None,
    drain_timeout: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Feed RECORDING (minutes, transactions or a capture) to the monitor as if it happened now.

    It runs the same code as the live monitor, with a state of its own.

    A replay that was stopped or killed continues from there when it is started again.
    """
    from faultprint import storage
    from faultprint.files import check_folder
    from faultprint.monitor.base.location import sibling
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.build import build_monitor
    from faultprint.monitor.config import settings
    from faultprint.monitor.ingest.files import Replay, ReplayClock
    from faultprint.monitor.ingest.recordings import open_recording
    from faultprint.monitor.state import persistence
    from faultprint.monitor.state.store import Store
    from faultprint.tables import VERDICTS

    wanted = settings.read(config)
    clock = ReplayClock()
    location = state or sibling(wanted.state, "replay")
    if out:
        check_folder(out)
    stop, log = stop_when(), JsonLog(sys.stderr, clock)
    with _location(location, dry_run) as used:
        with build_monitor(wanted, clock, log, state=used, dry_run=sys.stdout if dry_run else None) as monitor:
            with open_recording(recording, monitor.model, wanted.probe) as source:
                monitor.run([Replay(source, clock, speed)], stop)
            undelivered = [worker.sink.name for worker in monitor.workers if not worker.drain(drain_timeout)]
            result = _summary(monitor) | {"undelivered": undelivered}
            interval_us = monitor.buffer.interval_us
        if out:
            with Store(used) as store:
                storage.write(persistence.verdicts(store, interval_us), VERDICTS, out)
    report(result, as_json)


def _location(state: StateLocation, dry_run: bool) -> AbstractContextManager[StateLocation]:
    """The state to work on: a copy of it for a dry run."""
    from faultprint.monitor.state.dry_run import copied_state

    return copied_state(state) if dry_run else nullcontext(state)


def stop_when(seconds: float | None = None) -> Callable[[], bool]:
    """A function that returns true after Ctrl-C, SIGTERM, or `seconds`."""
    signalled = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: signalled.set())
    end = float("inf") if seconds is None else time.monotonic() + seconds
    return lambda: signalled.is_set() or time.monotonic() >= end


def _summary(monitor: Monitor) -> dict[str, Any]:
    refused = {f"{source}: {reason}": count for (source, reason), count in monitor.buffer.refused.items()}
    return {
        "minutes": monitor.counters.minutes,
        "nodes": monitor.nodes.known,
        "verdicts": dict(monitor.counters.verdicts),
        "changes": dict(monitor.counters.changes),
        "open_incidents": len(monitor.incidents.open),
        "refused_rows": refused,
        "sinks": {worker.sink.name: _counts(worker.counts) for worker in monitor.workers},
    }


def _counts(counts: DeliveryCounts) -> dict[str, Any]:
    values = asdict(counts)
    del values["first_tried"]
    return {("away" if name == "unreachable" else name): value for name, value in values.items()}


def _sum(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of several summaries, number by number."""
    total: dict[str, Any] = {}
    for summary in summaries:
        for name, value in summary.items():
            if isinstance(value, Mapping):
                total[name] = _sum([total.get(name, {}), value])
            else:
                total[name] = total.get(name, 0) + value
    return total
