"""The commands `train` and `tune`."""

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

labels_option = click.option("--labels", type=INPUT, required=True, help="Known conditions of the nodes (Parquet).")
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device that trains. auto: a GPU if there is one.",
)


@click.command()
@click.argument("minutes", type=INPUT, nargs=-1, required=True)
@click.option(
    "--labels",
    type=INPUT,
    multiple=True,
    required=True,
    help="Known conditions of the nodes (Parquet); repeat it for several files.",
)
@click.option(
    "--preset",
    type=click.Choice(["default", "reference-lstm", "reference-lstm-3d"]),
    default="default",
    show_default=True,
    help="Network to train. reference-lstm: the 2017 baseline, for comparison.",
)
@click.option("--settings", type=INPUT, help="Settings of the default preset, written by `faultprint tune` (JSON).")
@seed_option
@click.option(
    "--augment-rare",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Augment faults with at most this number of examples: transplant them onto normal traffic of all training nodes.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Number of epochs.  [default: that of the preset]")
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Time limit in seconds.")
@device_option
@click.option("--checkpoint", type=OUTPUT, help="File written after every epoch; the same command resumes from it.")
@click.option("--animation", type=OUTPUT, help="Animation of the vectors during training (*.html, self-contained).")
@click.option("--log", type=FOLDER, help="Folder for epochs.jsonl, with one JSON line for each epoch.")
@click.option("--tensorboard", type=FOLDER, help="Folder for TensorBoard event files; needs the package tensorboard.")
@click.option("--out", type=OUTPUT, required=True, help="Model file to write (*.faultprint).")
@json_option
def train(
    minutes: tuple[Path, ...],
    labels: tuple[Path, ...],
    preset: str,
    settings: Path | None,
    seed: int,
    augment_rare: int,
    epochs: int | None,
    max_seconds: float | None,
    device: str,
    checkpoint: Path | None,
    animation: Path | None,
    log: Path | None,
    tensorboard: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train an encoder on labelled MINUTES of several networks. The result is one model file, which runs without torch.

    MINUTES can be several files with different nodes.
    """
    import polars as pl

    from faultprint import storage
    from faultprint.features.minutes_file import open_minutes_file
    from faultprint.files import check_folder
    from faultprint.tables import LABELS
    from faultprint.training import config
    from faultprint.training.data.disk_series import disk_backed_series
    from faultprint.training.log import JsonLines, LatestScore, TensorBoard
    from faultprint.training.train import train as run

    check_folder(out)
    write_animation = _animation_writer(animation) if animation else None
    training_config = config.TrainingConfig(
        preset=preset,
        hyperparameters=config.read(settings) if settings else None,
        seed=seed,
        epochs=epochs,
        max_seconds=max_seconds,
        augment_rare=augment_rare,
        device=device,
    )
    files = [open_minutes_file(path) for path in minutes]
    latest = LatestScore()
    logs = [kind(folder) for kind, folder in ((JsonLines, log), (TensorBoard, tensorboard)) if folder]
    with disk_backed_series(files, out.parent) as series, progress_bar("training") as progress:
        result = run(
            series,
            pl.concat(storage.read(path, LABELS) for path in labels),
            out,
            training_config,
            catalogue=files[0].catalogue,
            interval_us=files[0].interval_us,
            progress=lambda done, total: progress(done, total, latest.text),
            checkpoint=checkpoint,
            record_animation=write_animation is not None,
            listeners=[latest, *logs],
        )
    if write_animation:
        write_animation(result)
    report(result.as_dict(), as_json)


def _animation_writer(path: Path) -> Callable[[Any], None]:
    """A function that writes the animation of a training. Raises UsageError at once if the path cannot be written."""
    from faultprint.reports import animation

    animation.check(path)
    return lambda training: animation.write(training, path)


@click.command()
@click.argument("minutes", type=INPUT)
@labels_option
@click.option("--study", type=OUTPUT, required=True, help="File of the trials (SQLite); the same command continues it.")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    required=True,
    help="Number of trials in the study; the first has the defaults.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    help="Number of groups of networks; each is held out once.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Time limit of a trial in seconds, for all folds together.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Number of epochs in a fold.  [default: that of the preset]")
@seed_option
@device_option
@click.option("--settings", type=OUTPUT, help="File for the best settings, for `train --settings` (JSON).")
@click.option("--out", type=OUTPUT, required=True, help="Report to write (*.html, self-contained, or *.json).")
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
    """Find settings of the default preset that suit labelled MINUTES, and report the importance of each setting.

    A trial trains once for each fold and is scored on the held-out networks. Poor trials are stopped early. At the end the best
    settings are compared with the defaults on other folds.
    """
    from faultprint import storage
    from faultprint.features.minutes_file import open_minutes_file
    from faultprint.files import check_folder
    from faultprint.reports import tuning as page
    from faultprint.tables import LABELS
    from faultprint.training import config
    from faultprint.training.data.disk_series import disk_backed_series
    from faultprint.training.tuning.tune import tune as run

    page.check(out)
    if settings:
        check_folder(settings)
    file = open_minutes_file(minutes)
    with disk_backed_series([file], out.parent) as series, progress_bar("trials") as progress:
        result = run(
            series,
            storage.read(labels, LABELS),
            study,
            trials=trials,
            seed=seed,
            folds=folds,
            max_seconds=seconds,
            epochs=epochs,
            progress=progress,
            catalogue=file.catalogue,
            interval_us=file.interval_us,
            device=device,
        )
    page.write(result, out)
    if settings:
        config.write(result.best.settings, settings)
    report(result.as_dict(), as_json, lambda: page.lines(result))
