"""Write the generated pages of docs/; --check names those that are out of date.

A new page is a function that returns Markdown, and an entry in PAGES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from faultprint_lab.pages import api, features, model_card, puzzles, results, results_chart, tables
from faultprint_lab.pages import cli as cli_page
from faultprint_lab.pages import monitor as monitor_page
from faultprint_lab.pages import publish as publish_page

Page = Callable[[], str]


PAGES: Final[Mapping[str, Page]] = {
    "reference/api.md": api.page,
    "reference/tables.md": tables.page,
    "reference/features.md": features.page,
    "reference/cli.md": cli_page.page,
    "reference/model-card.md": model_card.page,
    "reference/publish.md": publish_page.page,
    "reference/monitor.md": monitor_page.page,
    "science/results.md": results.page,
    "science/results.svg": results_chart.picture,
    "science/puzzles.md": puzzles.page,
    "science/puzzles.svg": puzzles.picture,
}
"""Path in docs/ → the function that makes its content."""


def stale(folder: Path) -> Iterator[str]:
    """The pages in `folder` that are missing or out of date."""
    for path, page in PAGES.items():
        file = folder / path
        if not file.is_file() or file.read_text(encoding="utf-8") != page():
            yield path


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a page is out of date.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="docs",
    show_default=True,
    help="Folder of the pages.",
)
def main(check: bool, folder: Path) -> None:
    """Write the pages, or check them."""
    outdated = list(stale(folder))
    for path in outdated:
        if check:
            click.echo(f"{folder / path} is out of date; run `make docs` and commit the result.", err=True)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(PAGES[path](), encoding="utf-8")
            click.echo(f"{folder / path} written")
    if check and outdated:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
