"""The verbs that make a model, and find what to make it with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from faultprint.cli.options import (
    FOLDER,
    INPUT,
    OUTPUT,
    json_option,
    progress_bar,
    report,
    seed_option,
)

labels_option = click.option("--labels", type=INPUT, required=True, help="What is known to have been true (Parquet).")
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What computes; auto: a GPU if there is one.",
)


@click.command()
@click.argument("minutes", type=INPUT, nargs=-1, required=True)
@click.option(
    "--labels",
    type=INPUT,
    multiple=True,
    required=True,
    help="What is known to have been true (Parquet); more than once, where it is in several files.",
)
@click.option(
    "--preset",
    type=click.Choice(["default", "posts", "posts-3d"]),
    default="default",
    show_default=True,
)
@click.option("--settings", type=INPUT, help="The default preset's numbers, as `faultprint tune` wrote them (JSON).")
@seed_option
@click.option(
    "--retell",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Tell faults of no more than so many examples again, on all nodes that are trained on.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Train this long.  [default: the preset's own]")
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Stop training after this long.")
@device_option
@click.option("--checkpoint", type=OUTPUT, help="Written after every epoch; the same command goes on from it.")
@click.option("--movie", type=OUTPUT, help="Show how the vectors moved, epoch by epoch (*.html, self-contained).")
@click.option("--log", type=FOLDER, help="Write a JSON line an epoch to LOG/epochs.jsonl.")
@click.option("--tensorboard", type=FOLDER, help="Write event files there; needs the package tensorboard.")
@click.option("--out", type=OUTPUT, required=True, help="The artefact (*.faultprint).")
@json_option
def train(
    minutes: tuple[Path, ...],
    labels: tuple[Path, ...],
    preset: str,
    settings: Path | None,
    seed: int,
    retell: int,
    epochs: int | None,
    max_seconds: float | None,
    device: str,
    checkpoint: Path | None,
    movie: Path | None,
    log: Path | None,
    tensorboard: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train an encoder on labelled MINUTES of several networks; what is left is one file that runs without torch.

    MINUTES may be several files, of different nodes.
    """
    import polars as pl

    from faultprint import storage
    from faultprint.features.minutes_file import open_minutes
    from faultprint.files import check_folder
    from faultprint.tables import LABELS
    from faultprint.training import config as numbers
    from faultprint.training.data.history import laid_out
    from faultprint.training.log import JsonLines, Latest, TensorBoard
    from faultprint.training.train import train as run

    check_folder(out)
    show = _projector(movie) if movie else None
    chosen = numbers.read(settings) if settings else None
    tables = [open_minutes(path) for path in minutes]
    latest = Latest()
    logs = [kind(folder) for kind, folder in ((JsonLines, log), (TensorBoard, tensorboard)) if folder]
    with laid_out(tables, out.parent) as history, progress_bar("training") as progress:
        result = run(
            history,
            pl.concat(storage.read(path, LABELS) for path in labels),
            out,
            preset=preset,
            settings=chosen,
            seed=seed,
            augment_rare=retell,
            max_seconds=max_seconds,
            epochs=epochs,
            device=device,
            progress=lambda done, total: progress(done, total, latest.words),
            catalogue=tables[0].catalogue,
            interval_us=tables[0].interval_us,
            checkpoint=checkpoint,
            record_animation=show is not None,
            listeners=[latest, *logs],
        )
    if show:
        show(result)
    report(result.as_dict(), as_json)


def _projector(path: Path) -> Callable[[Any], None]:
    """What writes the movie of a training there; refuses at once where it could not."""
    from faultprint.reports import animation

    animation.check(path)
    return lambda training: animation.write(training, path)


@click.command()
@click.argument("minutes", type=INPUT)
@labels_option
@click.option("--study", type=OUTPUT, required=True, help="What was tried (SQLite); the same command goes on from it.")
@click.option("--trials", type=click.IntRange(min=1), required=True, help="Settings to try in all, the defaults first.")
@click.option(
    "--folds", type=click.IntRange(min=2), default=3, show_default=True, help="Parts of the networks, held out in turn."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Train so long in a trial, all folds together."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Train so long in a fold.  [default: the preset's own]")
@seed_option
@device_option
@click.option("--settings", type=OUTPUT, help="Write the best settings there, for `train --settings` (JSON).")
@click.option(
    "--out", type=OUTPUT, required=True, help="The report of what mattered (*.html, self-contained, or *.json)."
)
@json_option
def tune(
    minutes: Path,
    labels: Path,
    study: Path,
    trials: int,
    folds: int,
    seconds: float | None,
    epochs: int | None,
    seed: int,
    device: str,
    settings: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Find settings of the default preset that suit labelled MINUTES, and say what mattered.

    Each trial trains once a fold and is scored on networks held out; those that fall behind are stopped early. The best is
    checked beside the defaults on other folds.
    """
    from faultprint import storage
    from faultprint.features.minutes_file import open_minutes
    from faultprint.files import check_folder
    from faultprint.reports import tuning as page
    from faultprint.tables import LABELS
    from faultprint.training import config as numbers
    from faultprint.training.data.history import laid_out
    from faultprint.training.tuning.tune import tune as run

    page.check(out)
    if settings:
        check_folder(settings)
    table = open_minutes(minutes)
    with laid_out([table], out.parent) as history, progress_bar("trials") as progress:
        result = run(
            history,
            storage.read(labels, LABELS),
            study,
            trials=trials,
            seed=seed,
            folds=folds,
            max_seconds=seconds,
            epochs=epochs,
            progress=progress,
            catalogue=table.catalogue,
            interval_us=table.interval_us,
            device=device,
        )
    page.write(result, out)
    if settings:
        numbers.write(result.best.settings, settings)
    report(result.as_dict(), as_json, lambda: page.lines(result))
