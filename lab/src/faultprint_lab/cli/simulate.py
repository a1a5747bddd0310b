"""The command `simulate`: labelled traffic of many networks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from faultprint.cli.options import FOLDER, json_option, progress_bar, report, seed_option


@click.command()
@click.option("--networks", type=click.IntRange(min=1), required=True, help="How many differing networks.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), required=True, help="Days of traffic of each.")
@click.option(
    "--episodes-per-day", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Faults a network and day."
)
@click.option(
    "--load", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Scale of the traffic."
)
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True, help="Index of the first network.")
@click.option("--strange", default=0, help="Instead of the named faults, so many that nobody has named.")
@click.option("--varied", is_flag=True, help="Give each episode ways of its own, as if it were another network's.")
@seed_option
@click.option("--out", type=FOLDER, required=True, help="Folder for the two tables.")
@json_option
def simulate(
    networks: int,
    days: float,
    episodes_per_day: float,
    load: float,
    first: int,
    strange: int,
    varied: bool,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Make labelled traffic of many networks: OUT/transactions.parquet and OUT/labels.parquet.

    The same seed gives the same bytes; network K is the same however many are made.
    """
    from faultprint_lab.simulate.run import simulate as run

    with progress_bar("networks") as progress:
        result = run(
            out,
            networks=networks,
            days=days,
            seed=seed,
            first=first,
            episodes_per_day=episodes_per_day,
            varied=varied,
            strange=strange,
            load=load,
            workers=os.cpu_count() or 1,
            progress=progress,
        )
    report(result.as_dict(), as_json)
