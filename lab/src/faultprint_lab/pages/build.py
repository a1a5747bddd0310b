"""The pages that are generated: `python -m faultprint_lab.pages.build` writes them, `--check` says which are stale.

A new page is a function that returns Markdown, and its line in PAGES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from faultprint.tables import CATALOGUE_KEY, COVERAGE_KEY, TABLES, Column, Table
from faultprint_lab.pages import features, puzzles, results, results_chart
from faultprint_lab.pages import cli as cli_page
from faultprint_lab.pages import monitor as monitor_page
from faultprint_lab.pages import publish as publish_page

Page = Callable[[], str]


def tables_page() -> str:
    """docs/reference/tables.md: the tables that the stages hand to one another."""
    parts = [
        "# Tables\n",
        "Every stage turns one table into the next. A table is a Parquet file; every stage checks its input against the columns "
        "here. Times are µs, UTC. This page is generated from `faultprint.tables`.\n",
        *(_table(table) for table in TABLES),
        "## Metadata\n",
        f"A transactions file carries `{COVERAGE_KEY}`: JSON [[node, network, start µs, end µs], …], the stretches of time that "
        "were listened to, end exclusive. It tells a minute without traffic from a minute without data.\n",
        f'A minutes file carries `{CATALOGUE_KEY}`: JSON {{"name", "hash", "interval_us"}} of the catalogue that its columns '
        "follow; see [features](features.md).\n",
    ]
    return "\n".join(parts)


def _table(table: Table) -> str:
    more = (
        "\nAfter them come a catalogue's features, float32, null where a feature has no value.\n"
        if table.open_ended
        else ""
    )
    rows = (
        (f"`{column.name}`", column.kind, column.unit, "yes" if column.nullable else "", _meaning(column))
        for column in table.columns
    )
    columns = features.table(("column", "type", "unit", "may be null", "meaning"), rows)
    return f"## {table.name}\n\n{table.meaning}\n\n{columns}{more}"


def _meaning(column: Column) -> str:
    return f"{column.meaning}: {', '.join(column.values)}" if column.values else column.meaning


PAGES: Final[Mapping[str, Page]] = {
    "reference/tables.md": tables_page,
    "reference/features.md": features.page,
    "reference/cli.md": cli_page.page,
    "reference/publish.md": publish_page.page,
    "reference/monitor.md": monitor_page.page,
    "science/results.md": results.page,
    "science/results.svg": results_chart.picture,
    "science/puzzles.md": puzzles.page,
    "science/puzzles.svg": puzzles.picture,
}
"""Path below docs/ → what it must hold."""


def stale(folder: Path) -> Iterator[str]:
    """The pages below `folder` that are absent or hold something else than they must."""
    for path, page in PAGES.items():
        file = folder / path
        if not file.is_file() or file.read_text(encoding="utf-8") != page():
            yield path


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a page is stale.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="docs",
    show_default=True,
    help="Where the pages are.",
)
def main(check: bool, folder: Path) -> None:
    """Write the pages, or check them."""
    found = list(stale(folder))
    for path in found:
        if check:
            click.echo(f"{folder / path} is stale; run `make docs` and keep what it writes.", err=True)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(PAGES[path](), encoding="utf-8")
            click.echo(f"{folder / path} written")
    if check and found:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
