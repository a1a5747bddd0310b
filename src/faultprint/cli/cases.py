"""The commands of the case library: references of the faults that Faultprint knows."""

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
    baseline_options,
    changed_library_option,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
    seed_option,
    warn_of_suspects,
)
from faultprint.errors import UsageError
from faultprint.pretrained.defaults import seed_own_library

if TYPE_CHECKING:
    from faultprint.cases.baseline import Baseline
    from faultprint.cases.reference import Reference

ids_argument = click.argument("ids", nargs=-1, required=True)


@click.group()
def cases() -> None:
    """Enrol, inspect and share the references that verdicts are compared with."""


@cases.command()
@click.argument("minutes", type=INPUT)
@model_option
@changed_library_option
@click.option("--condition", help="Name of the fault, such as hss-link-down.")
@click.option("--interval", type=INTERVAL, help="When it happened.")
@click.option("--node", help="The node it happened on, if MINUTES are of several.")
@baseline_options
@click.option("--comment", default="", help="Stored with the reference.")
@click.option("--from-labels", type=INPUT, help="Enrol the labelled episodes of this table instead of one interval.")
@click.option(
    "--one-per-condition", is_flag=True, help="Enrol one labelled episode of each condition, drawn by --seed."
)
@seed_option
@json_option
def enrol(
    minutes: Path,
    model: Path,
    library: Path,
    condition: str | None,
    interval: Interval | None,
    node: str | None,
    baseline: Baseline,
    comment: str,
    from_labels: Path | None,
    one_per_condition: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Add a fault to the library: one interval of MINUTES, or every labelled episode of them."""
    from faultprint import storage
    from faultprint.cases import enrol as enrolment
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    if from_labels and (condition or interval):
        raise UsageError(
            "--from-labels names the conditions and intervals itself; leave out --condition and --interval."
        )
    if one_per_condition and not from_labels:
        raise UsageError("--one-per-condition draws from labelled episodes; add --from-labels FILE.")
    created = datetime.now(UTC)
    seed_own_library(library)
    loaded = load_model(model)
    table = read_minutes(minutes, loaded.catalogue).frame
    suspects: dict[str, str] = {}
    if from_labels:
        examples = enrolment.examples(table, storage.read(from_labels, LABELS), loaded)
        if one_per_condition:
            examples = enrolment.one_per_condition(examples, seed)
        with progress_bar("references") as progress:
            references = enrolment.enrol_examples(examples, loaded, created=created, progress=progress)
    elif condition and interval:
        references = [
            enrolment.enrol(
                table,
                enrolment.Enrolment(condition, interval, comment),
                loaded,
                created=created,
                node=node,
                baseline=baseline,
                references=_references(library, loaded.id),
                on_suspect=suspects.__setitem__,
            )
        ]
    else:
        raise UsageError("Nothing says what to enrol; give --condition and --interval, or --from-labels.")
    with Library.open(library, create=True) as opened:
        added = set(opened.add(references))
    warn_of_suspects(suspects)
    _report_references([reference for reference in references if reference.id in added], as_json, "added")


@cases.command(name="list")
@library_option
@json_option
def list_(library: Path, as_json: bool) -> None:
    """List the references of the library, one per line."""
    from faultprint.cases.library import Library

    with Library.open(library) as opened:
        _report_references(opened.references(), as_json, "references")


@cases.command()
@click.argument("id")
@library_option
@json_option
def show(id: str, library: Path, as_json: bool) -> None:
    """Show the reference whose id begins with ID, with its vector."""
    from faultprint.cases.library import Library

    with Library.open(library) as opened:
        reference = opened.find(id)
    report(_facts(reference) | {"vector": [float(value) for value in reference.vector]}, as_json)


@cases.command()
@ids_argument
@changed_library_option
@json_option
def remove(ids: tuple[str, ...], library: Path, as_json: bool) -> None:
    """Remove the references whose ids begin with IDS, all or none."""
    from faultprint.cases.library import Library

    seed_own_library(library)
    with Library.open(library) as opened:
        _report_references(opened.remove(ids), as_json, "removed")


@cases.command()
@library_option
@click.option("--out", type=OUTPUT, required=True, help="JSON lines, one for each reference.")
@json_option
def export(library: Path, out: Path, as_json: bool) -> None:
    """Write the references to a file that another library imports."""
    from faultprint.cases.exchange import export as write
    from faultprint.cases.library import Library

    with Library.open(library) as opened:
        report({"exported": write(opened.references(), out)}, as_json)


@cases.command(name="import")
@click.argument("file", type=INPUT)
@changed_library_option
@json_option
def import_(file: Path, library: Path, as_json: bool) -> None:
    """Add the references of an exported FILE, all or none."""
    from faultprint.cases.exchange import read_references
    from faultprint.cases.library import Library

    references = read_references(file)
    if not references:
        raise UsageError(f"{file} holds no reference; give a file that `cases export` wrote.")
    seed_own_library(library)
    with Library.open(library, create=True) as opened:
        report({"imported": len(opened.add(references))}, as_json)


@cases.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="True conditions of MINUTES.")
@model_option
@changed_library_option
@click.option(
    "--max-false-alarms",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="False alarms to accept, per node and day.",
)
@json_option
def calibrate(minutes: Path, labels: Path, model: Path, library: Path, max_false_alarms: float, as_json: bool) -> None:
    """Set the library's thresholds on labelled MINUTES of networks that gave none of its references."""
    from faultprint import storage
    from faultprint.cases.calibration import calibrate_library
    from faultprint.cases.library import Library
    from faultprint.embedding.model import load_model
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS

    seed_own_library(library)
    loaded = load_model(model)
    table = read_minutes(minutes, loaded.catalogue).frame
    with Library.open(library) as opened:
        rules = calibrate_library(
            table, storage.read(labels, LABELS), loaded, opened, max_alarms_per_day=max_false_alarms
        )
    report({"rules": [{"persistence": rule.persistence, "closer": rule.max_distance_ratio} for rule in rules]}, as_json)


def _references(library: Path, model: str) -> list[Reference]:
    """The model's references in a library that may not exist yet."""
    from faultprint.cases.library import Library

    if not library.exists():
        return []
    with Library.open(library) as opened:
        return opened.references(model)


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
        for reference in references:
            interval = f"{reference.start:%Y-%m-%d %H:%M}–{reference.end:%H:%M}"
            what_and_where = f"{reference.id}  {reference.condition:<22} {reference.node:<20}"
            yield f"{what_and_where} {interval}  {reference.windows:>3} windows  {reference.comment}".rstrip()
        yield f"{len(references)} {what}"

    report({what: [_facts(reference) for reference in references]}, as_json, lines)
