"""The command `demo`: the main job on labelled traffic, from end to end."""

from __future__ import annotations

from pathlib import Path

import click

from faultprint.cli.options import FOLDER, OUTPUT, json_option, report, seed_option


@click.command()
@seed_option
@click.option(
    "--out",
    type=FOLDER,
    default=Path("build/demo"),
    show_default=True,
    help="Folder for the report and the figures.",
)
@click.option("--capture", type=OUTPUT, help="The real capture of a registration brute force to identify as well.")
@click.option(
    "--beds", type=FOLDER, help="The data set recorded on the test bed.  [default: data/beds, if it is there]"
)
@json_option
def demo(seed: int, out: Path, capture: Path | None, beds: Path | None, as_json: bool) -> None:
    """The main job on labelled traffic, end to end: train on some networks, identify faults on one never seen."""
    from faultprint_lab.demo.demo import demo as run

    result = run(out, seed=seed, capture=capture, beds=beds, say=lambda line: click.echo(line, err=as_json))
    report(result, as_json, lambda: iter(()))
