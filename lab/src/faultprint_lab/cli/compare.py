"""The command `compare`: the verdicts of a model and its library compared with other methods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultprint.cli.options import (
    INPUT,
    baseline_options,
    confirm_option,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
    seed_option,
)
from faultprint_lab.cli.dependencies import training_packages

if TYPE_CHECKING:
    from faultprint.cases.baseline import Baseline


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="True conditions of MINUTES.")
@model_option
@library_option
@click.option("--train-minutes", type=INPUT, help="Minutes of other networks, to train the other methods.")
@click.option("--train-labels", type=INPUT, help="Labels of --train-minutes.")
@click.option(
    "--system",
    "systems",
    multiple=True,
    type=click.Choice(["lightgbm", "1-nn"]),
    help="Method to compare with; repeatable.  [default: both]",
)
@baseline_options
@confirm_option
@seed_option
@json_option
def compare(
    minutes: Path,
    labels: Path,
    model: Path,
    library: Path,
    train_minutes: Path | None,
    train_labels: Path | None,
    systems: tuple[str, ...],
    baseline: Baseline,
    confirm_minutes: int,
    seed: int,
    as_json: bool,
) -> None:
    """Score the verdicts on MINUTES against labels, together with those of LightGBM and 1-NN trained on other networks.

    Without --train-minutes, only the verdicts of MODEL and LIBRARY are scored.
    """
    from faultprint import storage
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.errors import UsageError
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    if (train_minutes is None) != (train_labels is None):
        raise UsageError(
            "The other methods train on minutes with labels; give both --train-minutes and --train-labels."
        )
    if systems and train_minutes is None:
        raise UsageError(f"There is nothing to train {systems[0]} on; give --train-minutes and --train-labels.")
    with training_packages():
        from faultprint_lab.baselines.compare import BASELINES, compare_with_baselines
    loaded = load_model(model)
    train = None
    if train_minutes and train_labels:
        train = read_minutes(train_minutes, loaded.catalogue).frame, storage.read(train_labels, LABELS)
    with Library.open(library) as opened, progress_bar("systems") as progress:
        result = compare_with_baselines(
            read_minutes(minutes, loaded.catalogue).frame,
            storage.read(labels, LABELS),
            loaded,
            opened,
            train=train,
            systems=systems or BASELINES,
            baseline=baseline,
            persistence=confirm_minutes,
            seed=seed,
            progress=progress,
        )
    report(result, as_json, lambda: _table(result))


def _table(systems: dict[str, Any]) -> Iterator[str]:
    """One line for each figure, one column for each system. Figures of single conditions are in the JSON only."""
    names = [name for name, value in next(iter(systems.values())).items() if not isinstance(value, dict | list)]
    yield f"{'':<24}" + "".join(f"{system:>14}" for system in systems)
    for name in names:
        values = (figures.get(name) for figures in systems.values())
        yield f"{name:<24}" + "".join(f"{'–' if value is None else format(value, '.3g'):>14}" for value in values)
