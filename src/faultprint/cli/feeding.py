"""The verb that puts minutes on Kafka for monitors to share out."""

from __future__ import annotations

import socket
import sys
from dataclasses import asdict
from pathlib import Path

import click

from faultprint.cli.frame import INPUT, json_option, report
from faultprint.cli.live import config_option, stopping
from faultprint.errors import UsageError


@click.command()
@click.argument("recording", type=INPUT, required=False)
@config_option
@click.option("--origin", help="Name of this sender; each needs its own.  [default: this host's]")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Of a recording: times as fast as it was.  [default: as fast as it goes]",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this long.  [default: SIGTERM]"
)
@json_option
def feed(
    recording: Path | None, config: Path, origin: str | None, speed: float | None, seconds: float | None, as_json: bool
) -> None:
    """Put minutes on the topic that the configuration's [kafka] names, keyed by node.

    They are those of RECORDING (minutes, transactions or a capture); without it, of what the configuration's [probe] hears
    from now on.
    """
    from faultprint.embedding.model import load
    from faultprint.monitor import settings
    from faultprint.monitor.files import Replay, ReplayClock
    from faultprint.monitor.kafka.feed import Feed
    from faultprint.monitor.listening import listening
    from faultprint.monitor.log import JsonLog
    from faultprint.monitor.ports import SystemClock
    from faultprint.monitor.recordings import recorded
    from faultprint.monitor.sinks import cluster

    wanted = settings.read(config)
    if wanted.kafka is None:
        raise UsageError(f"{config} has no [kafka], which says where minutes are to go; give it.")
    clock = SystemClock()
    tell = JsonLog(sys.stderr, clock)
    model = load(wanted.model)
    interval_us, lateness_us = model.manifest.interval_us, int(wanted.time.lateness_seconds * 1_000_000)
    stop = stopping(seconds)
    out = Feed(cluster(wanted.kafka), wanted.kafka.minutes, origin or socket.gethostname(), tell)
    if recording is None:
        source = listening(wanted.probe, interval_us, lateness_us, clock)
        out.run(source, interval_us, lateness_us, 0, stop)
    else:
        with recorded(recording, model, wanted.probe) as found:
            # Nothing of a recording comes late.
            out.run(Replay(found, ReplayClock(), speed), interval_us, lateness_us, lateness_us, stop)
    report(asdict(out.fed), as_json)
