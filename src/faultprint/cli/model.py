"""The command `model`: what a model file is, and its signature."""

from __future__ import annotations

from pathlib import Path

import click

from faultprint.cli.options import INPUT, OUTPUT, json_option, report


@click.group()
def model() -> None:
    """Show and sign model files."""


@model.command()
@click.argument("path", metavar="MODEL", type=INPUT)
@json_option
def show(path: Path, as_json: bool) -> None:
    """Print what MODEL is: its id, its features and windows, its training, and whether it is signed."""
    from faultprint.embedding.model import Model
    from faultprint.embedding.model_file import read_artifact

    artifact = read_artifact(path)
    manifest, loaded = artifact.manifest, Model(artifact)
    report(
        {
            "id": loaded.id,
            "preset": manifest.preset,
            "catalogue": f"{manifest.catalogue.name} {manifest.catalogue.version}",
            "features": len(manifest.catalogue),
            "interval_seconds": manifest.interval_us / 1e6,
            "window_minutes": manifest.window,
            "dimensions": manifest.dimensions,
            "signed": bool(artifact.signature),
        },
        as_json,
    )


@model.command()
@click.argument("path", metavar="MODEL", type=INPUT)
@click.option("--key", type=INPUT, required=True, help="Private Ed25519 key (PEM), see openssl genpkey.")
@click.option("--out", type=OUTPUT, help="Where to write the signed model.  [default: MODEL itself]")
def sign(path: Path, key: Path, out: Path | None) -> None:
    """Sign MODEL, so that a monitor with model_keys accepts it. The id of the model stays."""
    from faultprint.embedding import signature
    from faultprint.embedding.model_file import read_artifact, write_artifact

    write_artifact(signature.sign(read_artifact(path), key), out or path)
