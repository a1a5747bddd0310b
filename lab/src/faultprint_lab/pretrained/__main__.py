"""`python -m faultprint_lab.pretrained`: make the files of `faultprint.pretrained`."""

from __future__ import annotations

from pathlib import Path

import click

from faultprint import pretrained
from faultprint_lab.pretrained.make import make


@click.command()
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default="build/model",
    show_default=True,
    help="Folder for traffic and intermediate files.",
)
@click.option(
    "--out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=pretrained.FOLDER,
    help="Folder for model, library and card.  [default: that of the package]",
)
def main(work: Path, out: Path) -> None:
    """Make the default model, the starter library and the model card."""
    work.mkdir(parents=True, exist_ok=True)
    card = make(work, out, log=click.echo)
    click.echo(f"Model {card['model']} took {card['seconds']} s; run `make docs` to write its card to docs/.")


if __name__ == "__main__":
    main()
