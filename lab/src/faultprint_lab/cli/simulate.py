"""The command `simulate`: labelled traffic of many networks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from faultprint.cli.options import FOLDER, json_option, progress_bar, report, seed_option


@click.command()
@click.option("--networks", type=click.IntRange(min=1), required=True, help="Number of different networks.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), required=True, help="Days of traffic per network.")
@click.option(
    "--episodes-per-day",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Fault episodes per network and day.",
)
@click.option(
    "--load",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor on the amount of traffic.",
)
@click.option(
    "--first-network", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the first network."
)
@click.option(
    "--random-faults",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of randomly generated faults to use instead of the named ones; 0: the named ones.",
)
@click.option(
    "--vary-episodes", is_flag=True, help="Let the equipment behave differently in each episode of the same fault."
)
@seed_option
@click.option("--out", type=FOLDER, required=True, help="Folder for the two tables.")
@json_option
def simulate(
    networks: int,
    days: float,
    episodes_per_day: float,
    load: float,
    first_network: int,
    random_faults: int,
    vary_episodes: bool,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Simulate labelled traffic: writes OUT/transactions.parquet and OUT/labels.parquet.

    The same seed gives the same bytes. A network depends on the seed and its number only, not on the other networks.
    """
    from faultprint_lab.simulate.run import simulate as run

    with progress_bar("networks") as progress:
        result = run(
            out,
            networks=networks,
            days=days,
            seed=seed,
            first_network=first_network,
            episodes_per_day=episodes_per_day,
            vary_episodes=vary_episodes,
            random_faults=random_faults,
            load=load,
            workers=os.cpu_count() or 1,
            progress=progress,
        )
    report(result.as_dict(), as_json)
