"""The verbs of the case library: what Faultprint has been taught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultprint.cli.options import (
    INPUT,
    INTERVAL,
    OUTPUT,
    Interval,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
    seed_option,
)
from faultprint.errors import UsageError

if TYPE_CHECKING:
    from faultprint.cases.reference import Reference

ids_argument = click.argument("ids", nargs=-1, required=True)


@click.group()
def cases() -> None:
    """Teach, look at and share the cases that verdicts are compared with."""


@cases.command()
@click.argument("minutes", type=INPUT)
@model_option
@library_option
@click.option("--condition", help="Name of what happened, such as hss-link-down.")
@click.option("--stretch", type=INTERVAL, help="When it happened.")
@click.option("--node", help="The node it happened on, where the minutes speak of several.")
@click.option("--normal", type=INTERVAL, help="A stretch of the node's own normal traffic.  [default: its first hour]")
@click.option("--comment", default="", help="Kept with the reference.")
@click.option("--from-labels", type=INPUT, help="Teach the labelled episodes of this table instead of one stretch.")
@click.option("--one-per-condition", is_flag=True, help="Of the labelled episodes, one a condition, drawn by --seed.")
@seed_option
@json_option
def enrol(
    minutes: Path,
    model: Path,
    library: Path,
    condition: str | None,
    stretch: Interval | None,
    node: str | None,
    normal: Interval | None,
    comment: str,
    from_labels: Path | None,
    one_per_condition: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Teach a fault from one stretch of MINUTES, or every labelled episode of them."""
    from faultprint import storage
    from faultprint.cases import enrol as teaching
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    created = datetime.now(UTC)
    encoder = load_model(model)
    table = read_minutes(minutes, encoder.catalogue).frame
    if from_labels:
        found = teaching.examples(table, storage.read(from_labels, LABELS), encoder)
        if one_per_condition:
            found = teaching.one_per_condition(found, seed)
        with progress_bar("references") as progress:
            references = teaching.enrol_examples(found, encoder, created=created, progress=progress)
    elif condition and stretch:
        lesson = teaching.Enrolment(condition, stretch, comment)
        references = [teaching.enrol(table, lesson, encoder, created=created, node=node, normal=normal)]
    else:
        raise UsageError("Nothing says what to learn; give --condition and --stretch, or --from-labels.")
    with Library.open(library, create=True) as shelf:
        added = set(shelf.add(references))
    _report_references([one for one in references if one.id in added], as_json, "added")


@cases.command(name="list")
@library_option
@json_option
def list_(library: Path, as_json: bool) -> None:
    """The references of the library, one a line."""
    from faultprint.cases.library import Library

    with Library.open(library) as shelf:
        _report_references(shelf.references(), as_json, "references")


@cases.command()
@click.argument("id")
@library_option
@json_option
def show(id: str, library: Path, as_json: bool) -> None:
    """All that is known of the reference whose id begins with ID."""
    from faultprint.cases.library import Library

    with Library.open(library) as shelf:
        reference = shelf.show(id)
    report(_facts(reference) | {"vector": [float(value) for value in reference.vector]}, as_json)


@cases.command()
@ids_argument
@library_option
@json_option
def remove(ids: tuple[str, ...], library: Path, as_json: bool) -> None:
    """Remove the references whose ids begin with IDS, all or none."""
    from faultprint.cases.library import Library

    with Library.open(library) as shelf:
        _report_references(shelf.remove(ids), as_json, "removed")


@cases.command()
@library_option
@click.option("--out", type=OUTPUT, required=True, help="JSON lines, one a reference.")
@json_option
def export(library: Path, out: Path, as_json: bool) -> None:
    """Write the references to a file that another library imports."""
    from faultprint.cases.exchange import export as write
    from faultprint.cases.library import Library

    with Library.open(library) as shelf:
        report({"exported": write(shelf.references(), out)}, as_json)


@cases.command(name="import")
@click.argument("file", type=INPUT)
@library_option
@json_option
def import_(file: Path, library: Path, as_json: bool) -> None:
    """Add the references of an exported FILE, all or none."""
    from faultprint.cases.exchange import import_into
    from faultprint.cases.library import Library

    with Library.open(library, create=True) as shelf:
        report({"imported": len(import_into(shelf, file))}, as_json)


@cases.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="What is known to have been true of MINUTES.")
@model_option
@library_option
@click.option(
    "--alarms",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="False alarms a node and day to bear.",
)
@json_option
def calibrate(minutes: Path, labels: Path, model: Path, library: Path, alarms: float, as_json: bool) -> None:
    """Set the library's thresholds on labelled MINUTES of networks that taught none of its references."""
    from faultprint import storage
    from faultprint.cases.calibration import calibrate_library
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    encoder = load_model(model)
    table = read_minutes(minutes, encoder.catalogue).frame
    with Library.open(library) as shelf:
        rules = calibrate_library(table, storage.read(labels, LABELS), encoder, shelf, most=alarms)
    report({"rules": [{"persistence": rule.persistence, "closer": rule.max_distance_ratio} for rule in rules]}, as_json)


def _facts(reference: Reference) -> dict[str, Any]:
    return {
        "id": reference.id,
        "condition": reference.condition,
        "network": reference.network,
        "node": reference.node,
        "start": reference.start.isoformat(),
        "end": reference.end.isoformat(),
        "windows": reference.windows,
        "model": reference.model,
        "created": reference.created.isoformat(timespec="seconds"),
        "comment": reference.comment,
    }


def _report_references(references: Sequence[Reference], as_json: bool, what: str) -> None:
    def lines() -> Iterator[str]:
        for one in references:
            stretch = f"{one.start:%Y-%m-%d %H:%M}–{one.end:%H:%M}"
            yield f"{one.id}  {one.condition:<22} {one.node:<20} {stretch}  {one.windows:>3} windows  {one.comment}".rstrip()
        yield f"{len(references)} {what}"

    report({what: [_facts(one) for one in references]}, as_json, lines)
