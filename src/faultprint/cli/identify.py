"""The command `identify`: a verdict for every minute of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from faultprint.cli.options import (
    EVER,
    INPUT,
    OUTPUT,
    Interval,
    json_option,
    library_option,
    model_option,
    normal_option,
    persistence_option,
    profile_option,
    progress_bar,
    report,
)


@click.command()
@click.argument("minutes", type=INPUT)
@model_option
@library_option
@normal_option
@click.option(
    "--mostly-normal",
    is_flag=True,
    help="Nobody vouches for a stretch, but most of MINUTES (or of --normal) is normal: leave out what stands out.",
)
@click.option(
    "--no-normal", is_flag=True, help="Nobody vouches for any stretch: take what is normal for nodes in general."
)
@profile_option
@persistence_option
@click.option("--out", type=OUTPUT, required=True, help="Verdicts (Parquet).")
@json_option
def identify(
    minutes: Path,
    model: Path,
    library: Path,
    normal: Interval | None,
    mostly_normal: bool,
    no_normal: bool,
    profile_minutes: int,
    persistence: int,
    out: Path,
    as_json: bool,
) -> None:
    """Say of every minute of MINUTES which known condition the node is in.

    Each node needs an hour of its own normal traffic: the stretch given by --normal, else its first hour, which whoever
    starts Faultprint vouches for; where that looks like a fault itself, it is said, and the next is taken. A day of traffic does
    as well though nobody vouches for it, with --mostly-normal. Of a node of which there is nothing but the fault, --no-normal
    makes do with what is normal for nodes in general.
    """
    import polars as pl

    from faultprint import storage
    from faultprint.cases.identify import identify as run
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.errors import UsageError
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import VERDICTS

    if no_normal and (normal or mostly_normal):
        given = "--normal" if normal else "--mostly-normal"
        raise UsageError(
            f"{given} says where there is normal traffic and --no-normal that there is none; leave one out."
        )
    if mostly_normal and not normal:
        normal = EVER
    encoder = load_model(model)
    table = read_minutes(minutes, encoder.catalogue).frame
    doubts: dict[str, str] = {}
    with Library.open(library) as shelf, progress_bar("nodes") as progress:
        verdicts = run(
            table,
            encoder,
            shelf,
            normal=normal,
            profile_minutes=profile_minutes,
            vouched=not mostly_normal,
            strangers=no_normal,
            persistence=persistence,
            progress=progress,
            doubt=doubts.__setitem__,
        )
    storage.write(verdicts, VERDICTS, out)
    counts = verdicts.group_by("condition").agg(pl.len()).sort("len", "condition", descending=[True, False])
    spells = _spells(verdicts)

    def lines() -> Iterator[str]:
        for spell in spells:
            stretch = f"{spell['from']:%Y-%m-%d %H:%M}–{spell['to']:%H:%M}  {spell['minutes']:>5} min"
            yield f"{spell['node']:<20} {stretch}  {spell['condition']:<22} {spell['evidence']}".rstrip()
        for node, condition in doubts.items():
            yield f"{node}: what was to be its normal looks like {condition}; give another --normal, or --no-normal."
        yield ", ".join(f"{condition} {number} min" for condition, number in counts.iter_rows())

    result = {"minutes": len(verdicts), "conditions": dict(counts.iter_rows()), "spells": spells, "doubtful": doubts}
    report(result, as_json, lines)


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
