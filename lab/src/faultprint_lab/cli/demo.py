"""The command `demo`: train, identify and score on labelled traffic, from end to end."""

from __future__ import annotations

from pathlib import Path

import click

from faultprint.cli.options import FOLDER, OUTPUT, json_option, report, seed_option
from faultprint_lab.cli.dependencies import training_packages


@click.command()
@seed_option
@click.option(
    "--out",
    type=FOLDER,
    default=Path("build/demo"),
    show_default=True,
    help="Folder for the report and the figures.",
)
@click.option("--capture", type=OUTPUT, help="Real capture of a registration brute force, to be identified as well.")
@click.option(
    "--testbed-data",
    type=FOLDER,
    help="Data set recorded on the test bed.  [default: the laboratory's own, if it is there]",
)
@json_option
def demo(seed: int, out: Path, capture: Path | None, testbed_data: Path | None, as_json: bool) -> None:
    """Train on simulated networks and identify the faults of others that were never seen; takes some minutes."""
    with training_packages():
        from faultprint_lab.demo.demo import demo as run

    result = run(
        out, seed=seed, capture=capture, testbed_data=testbed_data, log=lambda line: click.echo(line, err=as_json)
    )
    report(result, as_json, lambda: iter(()))
