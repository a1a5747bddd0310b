"""The verbs that give verdicts, and that say what verdicts are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from faultprint.cli.frame import (
    FOLDER,
    INPUT,
    OUTPUT,
    STRETCH,
    Moments,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
    seed_option,
)

normal_option = click.option(
    "--normal", type=STRETCH, help="A stretch of each node's own normal traffic.  [default: its first hour]"
)
persistence_option = click.option(
    "--persistence",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Minutes that must agree before the verdict changes.",
)
profile_option = click.option(
    "--profile-minutes",
    type=click.IntRange(min=30),
    default=60,
    show_default=True,
    help="Length of a node's first, normal, stretch.",
)


@click.command()
@click.argument("minutes", type=INPUT)
@model_option
@library_option
@normal_option
@profile_option
@persistence_option
@click.option("--out", type=OUTPUT, required=True, help="Verdicts (Parquet).")
@json_option
def identify(
    minutes: Path,
    model: Path,
    library: Path,
    normal: Moments | None,
    profile_minutes: int,
    persistence: int,
    out: Path,
    as_json: bool,
) -> None:
    """Say of every minute of MINUTES which known condition the node is in.

    Each node needs an hour of its own normal traffic: the stretch given by --normal, else its first hour, which whoever
    starts Faultprint vouches for.
    """
    import polars as pl

    from faultprint import storage
    from faultprint.cases.identify import identify as run
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import VERDICTS

    encoder = load(model)
    table = read_minutes(minutes, encoder.catalogue).frame
    with Library.open(library) as shelf, progress_bar("nodes") as progress:
        verdicts = run(
            table,
            encoder,
            shelf,
            normal=normal,
            profile_minutes=profile_minutes,
            persistence=persistence,
            progress=progress,
        )
    storage.write(verdicts, VERDICTS, out)
    counts = verdicts.group_by("condition").agg(pl.len()).sort("len", "condition", descending=[True, False])
    spells = _spells(verdicts)

    def lines() -> Iterator[str]:
        for spell in spells:
            stretch = f"{spell['from']:%Y-%m-%d %H:%M}–{spell['to']:%H:%M}  {spell['minutes']:>5} min"
            yield f"{spell['node']:<20} {stretch}  {spell['condition']:<22} {spell['evidence']}".rstrip()
        yield ", ".join(f"{condition} {number} min" for condition, number in counts.iter_rows())

    report({"minutes": len(verdicts), "conditions": dict(counts.iter_rows()), "spells": spells}, as_json, lines)


def _spells(verdicts: Any) -> list[dict[str, Any]]:
    """Runs of one verdict on one node, in order, with the evidence most often named in each."""
    import polars as pl

    return (  # type: ignore[no-any-return]
        verdicts.with_columns(run=pl.struct("node", "condition").rle_id())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("node", "condition").first(),
            pl.col("minute").first().alias("from"),
            pl.col("minute").last().alias("to"),
            pl.len().alias("minutes"),
            pl.col("evidence").list.first().drop_nulls().mode().first().fill_null("").alias("evidence"),
        )
        .drop("run")
        .to_dicts()
    )


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="What was true of MINUTES.")
@model_option
@library_option
@click.option("--train-minutes", type=INPUT, help="Minutes of other networks, for the baselines to learn from.")
@click.option("--train-labels", type=INPUT, help="Their labels.")
@click.option(
    "--baseline",
    "wanted",
    multiple=True,
    type=click.Choice(["lightgbm", "1-nn"]),
    help="Repeatable.  [default: both]",
)
@normal_option
@profile_option
@persistence_option
@seed_option
@json_option
def evaluate(
    minutes: Path,
    labels: Path,
    model: Path,
    library: Path,
    train_minutes: Path | None,
    train_labels: Path | None,
    wanted: tuple[str, ...],
    normal: Moments | None,
    profile_minutes: int,
    persistence: int,
    seed: int,
    as_json: bool,
) -> None:
    """Score verdicts on MINUTES against LABELS, beside the baselines trained on other networks."""
    from faultprint import storage
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load
    from faultprint.errors import UsageError
    from faultprint.evaluate.run import BASELINES
    from faultprint.evaluate.run import evaluate as run
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    if (train_minutes is None) != (train_labels is None):
        raise UsageError(
            "Baselines learn from minutes with labels; give both --train-minutes and --train-labels, or neither."
        )
    if wanted and train_minutes is None:
        raise UsageError(
            f"The baseline {wanted[0]} has nothing to learn from; give --train-minutes and --train-labels."
        )
    encoder = load(model)
    train = None
    if train_minutes and train_labels:
        train = read_minutes(train_minutes, encoder.catalogue).frame, storage.read(train_labels, LABELS)
    with Library.open(library) as shelf, progress_bar("systems") as progress:
        result = run(
            read_minutes(minutes, encoder.catalogue).frame,
            storage.read(labels, LABELS),
            encoder,
            shelf,
            train=train,
            wanted=wanted or BASELINES,
            normal=normal,
            profile_minutes=profile_minutes,
            persistence=persistence,
            seed=seed,
            progress=progress,
        )
    report(result, as_json, lambda: _table(result))


def _table(systems: dict[str, Any]) -> Iterator[str]:
    """One line a figure, one column a system; per-fault tables stay in the JSON."""
    names = [name for name, value in next(iter(systems.values())).items() if not isinstance(value, dict | list)]
    yield f"{'':<24}" + "".join(f"{system:>14}" for system in systems)
    for name in names:
        cells = (figures.get(name) for figures in systems.values())
        yield f"{name:<24}" + "".join(f"{'–' if cell is None else format(cell, '.3g'):>14}" for cell in cells)


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="What was true of MINUTES.")
@click.option("--beside", type=INPUT, required=True, help="Minutes to set beside them, of a simulator for example.")
@click.option("--beside-labels", type=INPUT, required=True, help="Their labels.")
@json_option
def signatures(minutes: Path, labels: Path, beside: Path, beside_labels: Path, as_json: bool) -> None:
    """Set each fault's signature in the features of MINUTES beside that in other minutes.

    Values are surprises: sign(z) ln(1 + |z|) of a minute, z in standard deviations of the node's own normal; here/there.
    """
    from faultprint import storage
    from faultprint.evaluate.signatures import compare, table
    from faultprint.features.catalogue import SIP_CATALOGUE
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    here, there = (
        (read_minutes(path).frame, storage.read(said, LABELS))
        for path, said in ((minutes, labels), (beside, beside_labels))
    )
    found = compare(here, there, SIP_CATALOGUE)
    report({"faults": [asdict(one) for one in found]}, as_json, lambda: iter(table(found)))


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
    from faultprint.evaluate.demo import demo as run

    result = run(out, seed=seed, capture=capture, beds=beds, say=lambda line: click.echo(line, err=as_json))
    report(result, as_json, lambda: iter(()))
