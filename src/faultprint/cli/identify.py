"""The command `identify`: a verdict for every minute of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    import polars as pl

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
    """Name the condition of each node in every minute of MINUTES.

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
    from faultprint.tables import VERDICTS

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
    runs = verdict_runs(verdicts)

    def lines() -> Iterator[str]:
        for run in runs:
            interval = f"{run['from']:%Y-%m-%d %H:%M}–{run['to']:%H:%M}  {run['minutes']:>5} min"
            yield f"{run['node']:<20} {interval}  {run['condition']:<22} {run['evidence']}".rstrip()
        yield ", ".join(f"{condition} {number} min" for condition, number in counts.iter_rows())

    result = {"minutes": len(verdicts), "conditions": dict(counts.iter_rows()), "spells": runs, "doubtful": suspects}
    report(result, as_json, lines)


def verdict_runs(verdicts: pl.DataFrame) -> list[dict[str, Any]]:
    """Each run of one verdict on one node, in order: node, condition, from, to, minutes, evidence.

    The evidence is the one that comes first in most of its minutes; of several, the earliest.
    """
    import polars as pl

    runs = (
        verdicts.with_columns(run=pl.struct("node", "condition").rle_id())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("node", "condition").first(),
            pl.col("minute").first().alias("from"),
            pl.col("minute").last().alias("to"),
            pl.len().alias("minutes"),
            pl.col("evidence").list.first().drop_nulls().alias("evidence"),
        )
        .drop("run")
        .to_dicts()
    )
    return [run | {"evidence": _most_frequent(run["evidence"])} for run in runs]


def _most_frequent(words: list[str]) -> str:
    # A counter keeps the order of insertion, and most_common is stable.
    return Counter(words).most_common(1)[0][0] if words else ""
