"""The command `evaluate`: how good verdicts are on labelled minutes."""

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
    warn_of_suspects,
)

if TYPE_CHECKING:
    from faultprint.cases.baseline import Baseline


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="True conditions of MINUTES.")
@model_option
@library_option
@baseline_options
@confirm_option
@json_option
def evaluate(
    minutes: Path,
    labels: Path,
    model: Path,
    library: Path,
    baseline: Baseline,
    confirm_minutes: int,
    as_json: bool,
) -> None:
    """Score the verdicts on MINUTES against labels.

    Prints macro-F1, false alarms per day, the share of faults found and the delays; then the figures of each condition.
    """
    from faultprint import storage
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.evaluation.evaluate import evaluate as run
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    loaded = load_model(model)
    suspects: dict[str, str] = {}
    with Library.open(library) as opened, progress_bar("nodes") as progress:
        figures = run(
            read_minutes(minutes, loaded.catalogue).frame,
            storage.read(labels, LABELS),
            loaded,
            opened,
            baseline=baseline,
            persistence=confirm_minutes,
            progress=progress,
            on_suspect=suspects.__setitem__,
        )
    warn_of_suspects(suspects)
    result = figures.summary() | {"conditions": figures.by_condition()}
    report(result, as_json, lambda: _lines(result))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    """One line for each figure, then one for each condition."""
    for name, value in result.items():
        if name != "conditions":
            yield f"{name:<24}{_number(value):>10}"
    names = ("precision", "recall", "f1", "windows", "episodes", "found")
    yield f"{'condition':<24}" + "".join(f"{name:>10}" for name in names)
    for row in result["conditions"]:
        yield f"{row['condition']:<24}" + "".join(f"{_number(row[name]):>10}" for name in names)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
