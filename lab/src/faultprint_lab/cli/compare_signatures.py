"""The command `signatures`: each fault's signature in two sets of minutes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from faultprint.cli.options import INPUT, json_option, report


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="What was true of MINUTES.")
@click.option("--beside", type=INPUT, required=True, help="Minutes to set beside them, of a simulator for example.")
@click.option("--beside-labels", type=INPUT, required=True, help="Their labels.")
@json_option
def signatures(minutes: Path, labels: Path, beside: Path, beside_labels: Path, as_json: bool) -> None:
    """Set each fault's signature in the features of MINUTES beside that in other minutes.

    Values are surprises: sign(z) ln(1 + |z|) of a minute, z in standard deviations of the node's own normal; here/there.
    """
    from faultprint import storage
    from faultprint.features.catalogue import SIP_CATALOGUE
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS
    from faultprint_lab.signatures import compare, table

    here, there = (
        (read_minutes(path).frame, storage.read(said, LABELS))
        for path, said in ((minutes, labels), (beside, beside_labels))
    )
    found = compare(here, there, SIP_CATALOGUE)
    report({"faults": [asdict(one) for one in found]}, as_json, lambda: iter(table(found)))
