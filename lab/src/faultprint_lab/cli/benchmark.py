"""The verb that says what verdicts are worth: on labelled minutes, or by the benchmark suite's protocols."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from faultprint.cli.options import (
    FOLDER,
    INPUT,
    OUTPUT,
    Interval,
    normal_option,
    persistence_option,
    profile_option,
    progress_bar,
    report,
    seed_option,
)

STDOUT: Final = "-"


@click.command()
@click.argument("minutes", type=INPUT, required=False)
@click.option("--labels", type=INPUT, help="What was true of MINUTES.")
@click.option("--model", type=INPUT, help="Artefact made by `faultprint train`.")
@click.option("--library", type=OUTPUT, help="Case library (SQLite).")
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
@click.option(
    "--json",
    "as_json",
    type=click.Path(path_type=str, dir_okay=False, allow_dash=True),
    is_flag=False,
    flag_value=STDOUT,
    help="Print one JSON object instead of lines; a protocol's rows go into the file that is named.",
)
@click.option(
    "--protocol", "protocols", multiple=True, help="Of the benchmark suite, or all; repeatable. No MINUTES then."
)
@click.option("--data", multiple=True, help="The protocols' data; repeatable.  [default: all]")
@click.option("--system", "systems", multiple=True, help="The protocols' systems; repeatable.  [default: all]")
@click.option("--seeds", default="1,2,3", show_default=True, help="The protocols' seeds.")
@click.option(
    "--split",
    type=click.Choice(["choose", "report"]),
    default="choose",
    show_default=True,
    help="The protocols' networks: those to decide by, or those that are looked at once.",
)
@click.option("--quick", is_flag=True, help="The protocols on next to nothing, to see that they run.")
@click.option(
    "--size",
    "changed",
    multiple=True,
    help="Another size of the protocols than the published one, as NAME=VALUE; repeatable (docs/protocols.md).",
)
@click.option(
    "--cache",
    type=FOLDER,
    default=Path("build/protocols"),
    show_default=True,
    help="Where the protocols keep what takes long; runs that share it share the work.",
)
@click.option("--beds", type=FOLDER, help="Data recorded on the test bed.  [default: the laboratory's own]")
@click.option(
    "--core",
    type=FOLDER,
    help="The 5G core's faults (ITU challenge PS-015, area b).  [default: 5gc-faults in $FAULTPRINT_LAB_DATA]",
)
def evaluate(
    minutes: Path | None,
    labels: Path | None,
    model: Path | None,
    library: Path | None,
    as_json: str | None,
    protocols: tuple[str, ...],
    **rest: Any,
) -> None:
    """Score verdicts on MINUTES against LABELS, beside the baselines trained on other networks.

    With --protocol: the benchmark suite, a row of figures for every data, protocol, system and seed (docs/protocols.md).
    """
    from faultprint.errors import UsageError

    own = ("data", "systems", "seeds", "split", "quick", "changed", "cache", "beds", "core")
    suite = {name: rest.pop(name) for name in own}
    if protocols:
        if minutes:
            raise UsageError("A protocol brings its own minutes; leave out MINUTES, or --protocol.")
        _protocols(protocols, as_json, **suite)
        return
    if as_json not in (None, STDOUT):
        raise UsageError(f"Figures of MINUTES go to standard output; put --json last, not before {as_json!r}.")
    if not (minutes and labels and model and library):
        raise UsageError("Give MINUTES, --labels, --model and --library, or --protocol for the benchmark suite.")
    _minutes(minutes, labels, model, library, as_json == STDOUT, **rest)


def _minutes(
    minutes: Path,
    labels: Path,
    model: Path,
    library: Path,
    as_json: bool,
    *,
    train_minutes: Path | None,
    train_labels: Path | None,
    wanted: tuple[str, ...],
    normal: Interval | None,
    profile_minutes: int,
    persistence: int,
    seed: int,
) -> None:
    from faultprint import storage
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.errors import UsageError
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS
    from faultprint_lab.baselines.compare import BASELINES
    from faultprint_lab.baselines.compare import evaluate as run

    if (train_minutes is None) != (train_labels is None):
        raise UsageError(
            "Baselines learn from minutes with labels; give both --train-minutes and --train-labels, or neither."
        )
    if wanted and train_minutes is None:
        raise UsageError(
            f"The baseline {wanted[0]} has nothing to learn from; give --train-minutes and --train-labels."
        )
    encoder = load_model(model)
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


def _protocols(
    protocols: tuple[str, ...],
    out: str | None,
    *,
    data: tuple[str, ...],
    systems: tuple[str, ...],
    seeds: str,
    split: str,
    quick: bool,
    changed: tuple[str, ...],
    cache: Path,
    beds: Path | None,
    core: Path | None,
) -> None:
    from faultprint.files import check_folder
    from faultprint_lab.benchmark import results_file as rows
    from faultprint_lab.benchmark.data.datasets import DataFolders
    from faultprint_lab.benchmark.splits import QUICK, Sizes, sized
    from faultprint_lab.benchmark.suite import SuitePlan, run

    wanted: dict[str, Any] = {"protocols": () if "all" in protocols else protocols, "data": data, "systems": systems}
    wanted["sizes"] = sized(QUICK if quick else Sizes(), changed)
    plan = SuitePlan(seeds=_seeds(seeds), split=split, **{name: value for name, value in wanted.items() if value})
    if out not in (None, STDOUT):
        check_folder(Path(str(out)))
    with progress_bar("rows") as progress:
        found = run(plan, cache, DataFolders.of(beds, core), progress)
    about = {"split": split, "sizes": plan.sizes.as_dict()}
    if out not in (None, STDOUT):
        rows.write(Path(str(out)), about, found)
    report({**about, "rows": found}, out == STDOUT, lambda: _row_table(found))


def _seeds(text: str) -> tuple[int, ...]:
    from faultprint.errors import UsageError

    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} are no seeds; give numbers with commas between them, such as 1,2,3.") from None


def _row_table(found: list[dict[str, Any]]) -> Iterator[str]:
    """A line a row: who, where, and the figures that it has."""
    from faultprint_lab.benchmark.results_file import FIGURES, REASON

    for row in found:
        who = f"{row['data']}, {row['protocol']}, {row['variant']}, seed {row['seed']}"
        said = row[REASON] or ", ".join(f"{name} {row[name]:.3g}" for name in FIGURES if row[name] is not None)
        yield f"{row['system']:<24}{who}: {said}"


def _table(systems: dict[str, Any]) -> Iterator[str]:
    """One line a figure, one column a system; per-fault tables stay in the JSON."""
    names = [name for name, value in next(iter(systems.values())).items() if not isinstance(value, dict | list)]
    yield f"{'':<24}" + "".join(f"{system:>14}" for system in systems)
    for name in names:
        cells = (figures.get(name) for figures in systems.values())
        yield f"{name:<24}" + "".join(f"{'–' if cell is None else format(cell, '.3g'):>14}" for cell in cells)
