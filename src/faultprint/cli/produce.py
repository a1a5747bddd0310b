"""The verb that puts what nodes do on Kafka, for monitors to share out."""

from __future__ import annotations

import socket
import sys
from dataclasses import asdict
from pathlib import Path

import click

from faultprint.cli.monitor import config_option, stopping
from faultprint.cli.options import INPUT, json_option, report
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
def produce(
    recording: Path | None, config: Path, origin: str | None, speed: float | None, seconds: float | None, as_json: bool
) -> None:
    """Put minutes, or transactions, on the topic that the configuration's [kafka] names, keyed by node.

    They are those of RECORDING (minutes, transactions or a capture); without it, of what the configuration's [probe] hears
    from now on. Which of them the topic holds is said by kafka.holds.
    """
    from faultprint.embedding.model import load_model
    from faultprint.monitor.base.interfaces import SystemClock, TransactionSource
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.config import settings
    from faultprint.monitor.config.kafka import Payload
    from faultprint.monitor.deliver.sinks import cluster
    from faultprint.monitor.ingest.files import Replay, ReplayClock
    from faultprint.monitor.ingest.probe import listening
    from faultprint.monitor.ingest.recordings import recorded
    from faultprint.monitor.kafka.producer import Producer

    wanted = settings.read(config)
    kafka = wanted.kafka
    if kafka is None:
        raise UsageError(f"{config} has no [kafka], which says where minutes are to go; give it.")
    clock = SystemClock()
    tell = JsonLog(sys.stderr, clock)
    model = load_model(wanted.model)
    interval_us, lateness_us = model.manifest.interval_us, int(wanted.time.lateness_seconds * 1_000_000)
    stop = stopping(seconds)
    out = Producer(cluster(kafka), kafka.topic, origin or socket.gethostname(), tell)

    def put(source: TransactionSource, extra_us: int) -> None:
        if kafka.holds is Payload.TRANSACTIONS:
            out.transactions(source, extra_us, stop)
        else:
            out.minutes(source, interval_us, lateness_us, extra_us, stop)

    if recording is None:
        put(listening(wanted.probe, interval_us, lateness_us, clock), 0)
    else:
        with recorded(recording, model, wanted.probe) as found:
            # Nothing of a recording comes late.
            put(Replay(found, ReplayClock(), speed), lateness_us)
    report(asdict(out.fed), as_json)
