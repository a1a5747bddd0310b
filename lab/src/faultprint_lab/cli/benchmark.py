"""The command `benchmark`: the benchmark suite of docs/science/protocols.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from faultprint.cli.options import FOLDER, OUTPUT, json_option, progress_bar, report
from faultprint_lab.cli.dependencies import training_packages


@click.command()
@click.option("--protocol", "protocols", multiple=True, required=True, help="Protocol to run, or all; repeatable.")
@click.option("--data", multiple=True, help="Kind of data; repeatable.  [default: all]")
@click.option("--system", "systems", multiple=True, help="System to measure; repeatable.  [default: all]")
@click.option("--seeds", default="1,2,3", show_default=True, help="Seeds, separated by commas.")
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Networks that are scored: validation for decisions, test for figures to publish.",
)
@click.option("--quick", is_flag=True, help="Run on very little data, to check that everything works.")
@click.option(
    "--size",
    "changes",
    multiple=True,
    help="Change one size of the published benchmark, as NAME=VALUE; repeatable (docs/science/protocols.md).",
)
@click.option(
    "--cache",
    type=FOLDER,
    default=Path("build/protocols"),
    show_default=True,
    help="Folder for simulated networks, trained models and finished rows. Runs may share it.",
)
@click.option("--testbed-data", type=FOLDER, help="Data set recorded on the test bed.  [default: the laboratory's own]")
@click.option(
    "--5gc-data",
    "core_data",
    type=FOLDER,
    help="Faults of a 5G core (ITU challenge PS-015, area b).  [default: 5gc-faults in $FAULTPRINT_LAB_DATA]",
)
@click.option("--out", type=OUTPUT, help="File for the rows (JSON).")
@json_option
def benchmark(
    protocols: tuple[str, ...],
    data: tuple[str, ...],
    systems: tuple[str, ...],
    seeds: str,
    split: str,
    quick: bool,
    changes: tuple[str, ...],
    cache: Path,
    testbed_data: Path | None,
    core_data: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run protocols of the benchmark suite: one row of figures for each data, protocol, variant, system and seed.

    A run that was stopped continues where it stopped, as long as --cache is the same.
    """
    from faultprint.files import check_folder

    with training_packages():
        from faultprint_lab.benchmark import results_file
        from faultprint_lab.benchmark.data.datasets import DataFolders
        from faultprint_lab.benchmark.splits import QUICK, Sizes, with_changes
        from faultprint_lab.benchmark.suite import SuitePlan, run

    chosen = {"protocols": () if "all" in protocols else protocols, "data": data, "systems": systems}
    sizes = with_changes(QUICK if quick else Sizes(), changes)
    plan = SuitePlan(
        seeds=_seeds(seeds), split=split, sizes=sizes, **{name: value for name, value in chosen.items() if value}
    )
    if out:
        check_folder(out)
    with progress_bar("rows") as progress:
        rows = run(plan, cache, DataFolders.with_defaults(testbed_data, core_data), progress)
    about = {"split": split, "sizes": sizes.as_dict()}
    if out:
        results_file.write(out, about, rows)
    report({**about, "rows": rows}, as_json, lambda: _lines(rows))


def _seeds(text: str) -> tuple[int, ...]:
    from faultprint.errors import UsageError

    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(
            f"--seeds is {text!r}, but must be whole numbers separated by commas, such as 1,2,3."
        ) from None


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One line for each row: the system, the trial, and the figures that it has."""
    from faultprint_lab.benchmark.results_file import FIGURES, REASON

    for row in rows:
        trial = f"{row['data']}, {row['protocol']}, {row['variant']}, seed {row['seed']}"
        figures = ", ".join(f"{name} {row[name]:.3g}" for name in FIGURES if row[name] is not None)
        yield f"{row['system']:<24}{trial}: {row[REASON] or figures}"
