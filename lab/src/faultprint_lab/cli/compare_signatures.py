"""The command `compare-signatures`: how each fault shows in the features, in two sets of minutes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from faultprint.cli.options import INPUT, json_option, report


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="True conditions of MINUTES.")
@click.option(
    "--reference-minutes", type=INPUT, required=True, help="Minutes to compare with, of a simulator for example."
)
@click.option("--reference-labels", type=INPUT, required=True, help="Labels of --reference-minutes.")
@json_option
def compare_signatures(
    minutes: Path, labels: Path, reference_minutes: Path, reference_labels: Path, as_json: bool
) -> None:
    """Compare the signature of each fault in MINUTES with its signature in other minutes.

    Values are log-scaled z-scores, sign(z) ln(1 + |z|): z is the deviation from the node's own baseline, in standard
    deviations. A pair is MINUTES/reference.
    """
    from faultprint import storage
    from faultprint.features.catalogue import SIP_CATALOGUE
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS
    from faultprint_lab.signatures import compare, markdown_table

    measured, reference = (
        (read_minutes(minutes_path).frame, storage.read(labels_path, LABELS))
        for minutes_path, labels_path in ((minutes, labels), (reference_minutes, reference_labels))
    )
    similarities = compare(measured, reference, SIP_CATALOGUE)
    faults = [asdict(similarity) for similarity in similarities]
    report({"faults": faults}, as_json, lambda: iter(markdown_table(similarities)))
