"""The data of the demo's report, from the comparison and the real capture."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.windows.labelling import fault_rows
from faultprint_lab.baselines.compare import CONFIRM_MINUTES
from faultprint_lab.demo import charts
from faultprint_lab.demo.attack import CONDITION, Recognition
from faultprint_lab.demo.comparison import Comparison

NAMES: Final = {
    "default": "Faultprint",
    "reference-lstm": "2017 baseline",
    "lightgbm": "LightGBM",
    "1-nn": "1-NN",
}


def page(
    comparison: Comparison,
    labels: pl.DataFrame,
    recognition: Recognition | None,
    *,
    traffic: str,
    seed: int,
    seconds: float,
) -> dict[str, Any]:
    """The data of `reports.html`; `traffic` describes the scored traffic, `seconds` is the run time of the demo."""
    model, first = comparison.first, comparison.results[0]
    record = model.model.manifest.training
    vectors = np.concatenate([model.vectors(scope) for scope in comparison.scopes])
    tables = []
    for scope in comparison.scopes:
        row_of = np.searchsorted(np.flatnonzero(scope.series.observed), scope.last_minutes)
        tables.append(first.scored.filter(pl.col("node") == scope.series.node)[row_of])
    networks = [scope.series.network for scope in comparison.scopes]
    conditions = charts.conditions(comparison.results, comparison.references)
    return {
        "title": f"Faults of unseen {'networks' if len(networks) > 1 else 'network'} {', '.join(networks)}",
        "lead": f"{traffic}. Faultprint was not trained on them. It knows one example of each fault, from other networks, "
        "and the first hour of traffic as the baseline of the node.",
        "facts": [
            ["trained on", f"{len(record['networks'])} other networks"],
            ["thresholds set on", f"{len(record['held_out'])} more"],
            ["examples", f"{len(comparison.references)} faults, one each"],
            ["confirmation", f"{CONFIRM_MINUTES} minutes"],
            ["seed", str(seed)],
            ["run time", f"{seconds:.0f} s"],
        ],
        "conditions": conditions if recognition is None else [*conditions, CONDITION],
        "systems": [
            charts.system(result, NAMES[result.name], comparison.evidence if result is first else None)
            for result in comparison.results
        ],
        "tracks": _tracks(comparison, labels),
        "cloud": charts.cloud(vectors, pl.concat(tables), comparison.references, seed),
        "capture": None
        if recognition is None
        else {"text": recognition.lines(), "tracks": _capture_tracks(recognition)},
    }


def _tracks(comparison: Comparison, labels: pl.DataFrame) -> list[dict[str, Any]]:
    faults = fault_rows(labels)
    window = comparison.first.model.window
    tracks = []
    for scope in comparison.scopes:
        series = scope.series
        lanes = [("truth", comparison.results[0].scored, "truth")]
        lanes += [(NAMES[result.name], result.scored, "verdict") for result in comparison.results]
        ends = faults.filter(pl.col("node").cast(pl.String) == series.node)["end"].to_list()
        tracks.append(charts.track(series.node, lanes, series.interval_us, ended=ends, window=window))
    return tracks


def _capture_tracks(recognition: Recognition) -> list[dict[str, Any]]:
    reference = recognition.reference
    enrolled = (pl.col("minute") >= reference.start) & (pl.col("minute") < reference.end)
    scored = recognition.scored.with_columns(
        enrolled=pl.when(enrolled & (pl.col("node") == reference.node)).then(pl.lit(CONDITION))
    )
    lanes = [("enrolled", scored, "enrolled"), ("truth", scored, "truth"), ("Faultprint", scored, "condition")]
    nodes = scored["node"].cast(pl.String).unique(maintain_order=True).to_list()
    return [charts.track(node, lanes, recognition.interval_us) for node in nodes]
