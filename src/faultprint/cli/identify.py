"""The command `identify`: a verdict for every minute of a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultprint.cli.incident_lines import count_of, incident_facts, incident_lines
from faultprint.cli.options import (
    INPUT,
    OUTPUT,
    baseline_options,
    confirm_option,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
    warn_of_suspects,
)

if TYPE_CHECKING:
    from faultprint.cases.baseline import Baseline


@click.command()
@click.argument("minutes", type=INPUT)
@model_option
@library_option
@baseline_options
@confirm_option
@click.option("--out", type=OUTPUT, required=True, help="Verdicts (Parquet).")
@json_option
def identify(
    minutes: Path,
    model: Path,
    library: Path,
    baseline: Baseline,
    confirm_minutes: int,
    out: Path,
    as_json: bool,
) -> None:
    """Name the condition of each node in every minute of MINUTES, and print the incidents.

    Verdicts are relative to each node's baseline, its normal traffic. Default is its first hour; if that looks like a
    known fault, there is a warning and the next hour is used. Without a checked hour, use a day of mostly normal traffic
    with --baseline robust. For a node without any normal traffic, use --baseline population.
    """
    import polars as pl

    from faultprint import storage
    from faultprint.cases import identify as identification
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.features.minutes import read_minutes
    from faultprint.monitor.detect.recorded import recorded_incidents
    from faultprint.tables import VERDICTS
    from faultprint.units import microseconds

    loaded = load_model(model)
    table = read_minutes(minutes, loaded.catalogue).frame
    suspects: dict[str, str] = {}
    with Library.open(library) as opened, progress_bar("nodes") as progress:
        verdicts = identification.identify(
            table,
            loaded,
            opened,
            baseline=baseline,
            persistence=confirm_minutes,
            progress=progress,
            on_suspect=suspects.__setitem__,
        )
    storage.write(verdicts, VERDICTS, out)
    warn_of_suspects(suspects)
    counts = verdicts.group_by("condition").agg(pl.len()).sort("len", "condition", descending=[True, False])
    interval_us = loaded.manifest.interval_us
    networks = dict(table.select(pl.col("node", "network").cast(pl.String)).unique().iter_rows())
    incidents = recorded_incidents(verdicts, networks, interval_us=interval_us, persistence=confirm_minutes)
    last = verdicts["minute"].max()
    until_us = microseconds(last) + interval_us if isinstance(last, datetime) else 0
    facts = [incident_facts(incident, until_us) for incident in incidents]

    def lines() -> Iterator[str]:
        yield from incident_lines(facts)
        yield f"{count_of(len(facts), 'incident')}; minutes by verdict: " + ", ".join(
            f"{condition} {number:,}" for condition, number in counts.iter_rows()
        )

    result = {
        "minutes": len(verdicts),
        "conditions": dict(counts.iter_rows()),
        "incidents": facts,
        "doubtful": suspects,
    }
    report(result, as_json, lines)
