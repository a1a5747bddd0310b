"""The command `produce`: write minutes or transactions to Kafka, for monitors that share the nodes."""

from __future__ import annotations

import socket
import sys
from dataclasses import asdict
from pathlib import Path

import click

from faultprint.cli.monitor import config_option, stop_when
from faultprint.cli.options import INPUT, json_option, report
from faultprint.errors import UsageError
from faultprint.units import SECOND_US


@click.command()
@click.argument("recording", type=INPUT, required=False)
@config_option
@click.option("--origin", help="Name of this sender in the records; must be unique.  [default: host name]")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Replay RECORDING at this multiple of real time.  [default: as fast as possible]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after this many seconds.  [default: run until SIGTERM]",
)
@json_option
def produce(
    recording: Path | None, config: Path, origin: str | None, speed: float | None, seconds: float | None, as_json: bool
) -> None:
    """Write minutes or transactions to the Kafka topic in [kafka] of the configuration, with the node as key.

    They come from RECORDING (minutes, transactions or a capture). Without RECORDING they come from live traffic, as [probe] of
    the configuration says. `kafka.payload` selects minutes or transactions.
    """
    from faultprint.embedding.model import load_model
    from faultprint.monitor.base.interfaces import SystemClock, TransactionSource
    from faultprint.monitor.base.log import JsonLog
    from faultprint.monitor.config import settings
    from faultprint.monitor.config.kafka import Payload
    from faultprint.monitor.deliver.sinks import kafka_cluster
    from faultprint.monitor.ingest.files import Replay, ReplayClock
    from faultprint.monitor.ingest.probe import probe_source
    from faultprint.monitor.ingest.recordings import open_recording
    from faultprint.monitor.kafka.producer import TopicProducer

    configuration = settings.read(config)
    kafka = configuration.kafka
    if kafka is None:
        raise UsageError(f"{config} has no section [kafka], so the topic is unknown; add it.")
    clock = SystemClock()
    model = load_model(configuration.model, keys=configuration.model_keys)
    interval_us, lateness_us = model.manifest.interval_us, int(configuration.time.lateness_seconds * SECOND_US)
    stop = stop_when(seconds)
    log = JsonLog(sys.stderr, clock)
    producer = TopicProducer(kafka_cluster(kafka), kafka.topic, origin or socket.gethostname(), log)

    def run(source: TransactionSource, watermark_shift_us: int) -> None:
        if kafka.payload is Payload.TRANSACTIONS:
            producer.produce_transactions(source, watermark_shift_us, stop)
        else:
            producer.produce_minutes(source, interval_us, lateness_us, watermark_shift_us, stop)

    if recording is None:
        run(probe_source(configuration.probe, interval_us, lateness_us, clock, log), 0)
    else:
        with open_recording(recording, model, configuration.probe) as source:
            # Nothing in a recording is late, so the monitors need not wait for late rows.
            run(Replay(source, ReplayClock(), speed), lateness_us)
    report(asdict(producer.counts), as_json)
