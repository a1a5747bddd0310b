"""The command `diagnose`: from captures or minutes to named incidents, in one step."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from faultprint.cli.options import (
    INPUT,
    baseline_options,
    confirm_option,
    json_option,
    library_option,
    model_option,
    progress_bar,
    report,
)
from faultprint.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from faultprint.cases.baseline import Baseline
    from faultprint.embedding.model import Model

NOTHING_FOUND: Final = 0
FAULT_FOUND: Final = 3
TOO_SHORT: Final = 4
_PARQUET: Final = b"PAR1"


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=INPUT)
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="NAME[=ADDRESS,…]",
    help="Node to diagnose; repeatable.  [default: the host that serves most peers]",
)
@click.option("--network", default="network", show_default=True, help="Name of the operator's network.")
@model_option
@library_option
@baseline_options
@confirm_option
@json_option
@click.pass_context
def diagnose(
    context: click.Context,
    inputs: tuple[Path, ...],
    nodes: tuple[str, ...],
    network: str,
    model: Path,
    library: Path,
    baseline: Baseline,
    confirm_minutes: int,
    as_json: bool,
) -> None:
    """Find and name the faults in INPUTS: captures (pcap, pcapng, plain or gzip), or one table of minutes.

    No other file is needed or written. Normal is the node's first hour, unless --baseline says otherwise; without an hour of
    its own, a node is compared with many networks.

    \b
    Exit status: 0 nothing wrong, 3 a fault found, 4 too little traffic to say, 2 a mistake.
    """
    from faultprint.cases.centering import node_series
    from faultprint.cases.library import Library
    from faultprint.cases.thresholds import matcher_for, rule_for
    from faultprint.diagnosis.node import diagnose_node
    from faultprint.diagnosis.text import diagnosis_summary, node_facts, node_lines
    from faultprint.embedding.model import load_model

    loaded = load_model(model)
    given = context.get_parameter_source("baseline_minutes") is not click.core.ParameterSource.DEFAULT
    given |= context.get_parameter_source("baseline") is not click.core.ParameterSource.DEFAULT
    with Library.open(library) as opened:
        references = opened.for_model(loaded.id, loaded.dimensions)
        matcher, rule = matcher_for(loaded, references), rule_for(loaded, opened, confirm_minutes)
    table = _minutes(inputs, nodes, network, loaded)
    found = [
        diagnose_node(series, table, loaded, matcher, rule, references, baseline if given else None)
        for series in node_series(table, loaded)
    ]
    result = {"nodes": [node_facts(node) for node in found]}

    def lines() -> Iterator[str]:
        for node in found:
            yield from node_lines(node, len(matcher.conditions) - 1)
            yield ""
        yield diagnosis_summary(found)

    report(result, as_json, lines)
    if any(node.incidents for node in found):
        context.exit(FAULT_FOUND)
    if not any(node.judged for node in found):
        context.exit(TOO_SHORT)


def _minutes(inputs: Sequence[Path], nodes: Sequence[str], network: str, model: Model) -> pl.DataFrame:
    """The MINUTES of the inputs. Raises UsageError for a mixture, and as the stages do."""
    from faultprint.features.minutes import build_minutes_file, read_minutes
    from faultprint.probe.capture.run import NodeSpec, probe_captures

    tables = [path for path in inputs if _is_parquet(path)]
    if tables:
        if len(inputs) > 1 or nodes:
            raise UsageError(
                f"{tables[0]} is a table, which is diagnosed alone and holds its own nodes; leave out the other inputs and --node."
            )
        return read_minutes(tables[0], model.catalogue).frame
    with tempfile.TemporaryDirectory(prefix="faultprint-") as folder:
        transactions, minutes = Path(folder) / "transactions.parquet", Path(folder) / "minutes.parquet"
        with progress_bar("bytes") as progress:
            probe_captures(
                inputs,
                transactions,
                nodes=[NodeSpec.parse(node) for node in nodes or ("node",)],
                network=network,
                key=secrets.token_bytes(32),  # hashes of subscribers are not compared with any other run
                progress=progress,
            )
        build_minutes_file(transactions, minutes)
        return read_minutes(minutes, model.catalogue).frame


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _PARQUET
