"""The verbs that watch nodes: live, or recorded ones as if they were live."""

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
    from faultprint.monitor.config.kafka import KafkaSettings
    from faultprint.monitor.config.settings import Settings
    from faultprint.monitor.deliver.delivery import Deliveries, Log
    from faultprint.monitor.kafka.group import Group
    from faultprint.monitor.monitor import Monitor
    from faultprint.monitor.state.connect import State

config_option = click.option("--config", type=INPUT, required=True, help="Configuration (TOML, docs/monitor.md).")
dry_option = click.option(
    "--dry-run", is_flag=True, help="Print what would be sent to the sinks; send nothing, work on a copy of the state."
)


@click.command()
@config_option
@click.option(
    "--interface", "interfaces", multiple=True, metavar="IF", help="Listen to this interface, too; repeatable."
)
@click.option(
    "--hep", "agents", multiple=True, metavar="HOST:PORT", help="Listen for HEP version 3 there, too; repeatable."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this long.  [default: SIGTERM]"
)
@dry_option
@json_option
def monitor(
    config: Path,
    interfaces: tuple[str, ...],
    agents: tuple[str, ...],
    seconds: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Watch the nodes that the configuration names: a verdict every minute, incidents, and word of them to the sinks.

    With [kafka] in the configuration it hears no packets, but shares the topic's nodes out with the other monitors of its
    group.

    Logs are JSON lines on standard error. SIGTERM and Ctrl-C end it after the minute in hand; started again, and after a
    kill, too, it goes on from there.
    """
    from dataclasses import replace

    from faultprint.monitor.base.interfaces import SystemClock
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.config import settings

    wanted = settings.read(config)
    heard = wanted.probe
    probe = replace(heard, interfaces=(*heard.interfaces, *interfaces), hep=(*heard.hep, *agents))
    clock = SystemClock()
    tell = JsonLog(sys.stderr, clock)
    if wanted.kafka is None:
        result = _listen(replace(wanted, probe=probe), clock, tell, stopping(seconds), dry_run)
    elif interfaces or agents:
        raise UsageError("A monitor with [kafka] hears no packets; leave --interface and --hep to `faultprint feed`.")
    elif dry_run:
        raise UsageError(
            "A dry run would take partitions from the monitors at work; try a recording with `faultprint replay --dry-run`."
        )
    else:
        result = _join(wanted, wanted.kafka, clock, tell, stopping(seconds))
    report(result, as_json)


def _listen(wanted: Settings, clock: Clock, tell: Log, stop: Callable[[], bool], dry_run: bool) -> dict[str, Any]:
    """Watch by what the probe hears."""
    from faultprint.monitor.build import build_monitor
    from faultprint.monitor.ingest.probe import listening

    with (
        _state(wanted.state, dry_run) as place,
        build_monitor(wanted, clock, tell, state=place, dry=sys.stdout if dry_run else None) as watch,
        _serving(watch, wanted, place, clock) as address,
    ):
        source = listening(wanted.probe, watch.model.manifest.interval_us, watch.buffer.lateness_us, clock)
        tell("started", nodes=len(watch.nodes), http=address)
        watch.run([source], stop)
        return _summary(watch)


def _join(wanted: Settings, kafka: KafkaSettings, clock: Clock, tell: Log, stop: Callable[[], bool]) -> dict[str, Any]:
    """Watch as a member of a group."""
    from faultprint.monitor.kafka.build import group_member

    partitions: list[dict[str, Any]] = []
    with (
        group_member(wanted, kafka, clock, tell) as group,
        _serving(group, wanted, wanted.state, clock) as address,
    ):
        group.leaving.append(lambda monitor: partitions.append(_summary(monitor)))
        tell("started", group=kafka.group, http=address)
        group.run(stop)
    return _added(partitions)


@contextmanager
def _serving(
    watched: Monitor | Group, wanted: Settings, state: State, clock: Clock
) -> Iterator[tuple[str, int] | None]:
    """Metrics, health and alarms, where they are wanted."""
    from faultprint.monitor.serve.http import served

    server = served(wanted.http, watched, state, clock) if wanted.http.port else None
    try:
        yield server.address if server else None
    finally:
        if server:
            server.close()


@click.command()
@click.argument("recording", type=INPUT)
@config_option
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Times as fast as it was.  [default: as fast as it goes]",
)
@click.option(
    "--state",
    type=StateType(),
    metavar="FILE|URL",
    help="State of the replay.  [default: beside the configuration's: FILE.replay, or SCHEMA_replay]",
)
@click.option("--out", type=OUTPUT, help="Write the verdicts that are kept there (Parquet).")
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for sinks at the end.",
)
@dry_option
@json_option
def replay(
    recording: Path,
    config: Path,
    speed: float | None,
    state: State | None,
    out: Path | None,
    drain: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Feed RECORDING (minutes, transactions or a capture) to the monitor as if it happened now.

    The same parts are at work as live, with a state of their own.

    A replay that was stopped or killed goes on where it stood when it is started again.
    """
    from faultprint import storage
    from faultprint.files import check_folder
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.build import build_monitor
    from faultprint.monitor.config import settings
    from faultprint.monitor.ingest.files import Replay, ReplayClock
    from faultprint.monitor.ingest.recordings import recorded
    from faultprint.monitor.state import persistence
    from faultprint.monitor.state.connect import beside
    from faultprint.monitor.state.store import Store
    from faultprint.tables import VERDICTS

    wanted = settings.read(config)
    clock = ReplayClock()
    kept = state or beside(wanted.state, "replay")
    if out:
        check_folder(out)
    stop = stopping()
    tell, dry = JsonLog(sys.stderr, clock), sys.stdout if dry_run else None
    with _state(kept, dry_run) as place:
        with build_monitor(wanted, clock, tell, state=place, dry=dry) as monitor:
            with recorded(recording, monitor.model, wanted.probe) as source:
                monitor.run([Replay(source, clock, speed)], stop)
            undelivered = [courier.sink.name for courier in monitor.workers if not courier.drain(drain)]
            result = _summary(monitor) | {"undelivered": undelivered}
            interval_us = monitor.buffer.interval_us
        if out:
            with Store(place) as store:
                storage.write(persistence.verdicts(store, interval_us), VERDICTS, out)
    report(result, as_json)


def _state(kept: State, dry_run: bool) -> AbstractContextManager[State]:
    """The state to work on: a copy of it for a dry run."""
    from faultprint.monitor.state.dry_run import copied_state

    return copied_state(kept) if dry_run else nullcontext(kept)


def stopping(seconds: float | None = None) -> Callable[[], bool]:
    """Ctrl-C, SIGTERM and the end of `seconds` end the work after the minute in hand."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    end = float("inf") if seconds is None else time.monotonic() + seconds
    return lambda: over.is_set() or time.monotonic() >= end


def _summary(monitor: Monitor) -> dict[str, Any]:
    refused = {f"{source}: {reason}": count for (source, reason), count in monitor.buffer.refused.items()}
    return {
        "minutes": monitor.counters.minutes,
        "nodes": len(monitor.nodes),
        "verdicts": dict(monitor.counters.verdicts),
        "changes": dict(monitor.counters.changes),
        "open_incidents": len(monitor.incidents.open),
        "refused_rows": refused,
        "sinks": {courier.sink.name: _counts(courier.counts) for courier in monitor.workers},
    }


def _counts(deliveries: Deliveries) -> dict[str, Any]:
    return {name: value for name, value in asdict(deliveries).items() if name != "since"}


def _added(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One summary of several: numbers are added."""
    found: dict[str, Any] = {}
    for one in summaries:
        for name, value in one.items():
            if isinstance(value, Mapping):
                found[name] = _added([found.get(name, {}), value])
            else:
                found[name] = found.get(name, 0) + value
    return found
