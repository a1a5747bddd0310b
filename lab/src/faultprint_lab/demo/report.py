"""The demo's report, put together from what the contest and the real capture brought."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.windows.labelling import of_faults
from faultprint_lab.baselines.compare import PERSISTENCE
from faultprint_lab.demo import charts
from faultprint_lab.demo.attack import CONDITION, Recognition
from faultprint_lab.demo.comparison import Comparison

NAMES: Final = {"default": "Faultprint", "posts": "posts' network", "lightgbm": "LightGBM", "1-nn": "1-NN"}


def page(
    result: Comparison, labels: pl.DataFrame, real: Recognition | None, *, traffic: str, seed: int, seconds: float
) -> dict[str, Any]:
    """The data of `evaluate.report`; `traffic` says in words what was met, `seconds` is what the demo took."""
    ours, first = result.ours, result.outcomes[0]
    record = ours.model.manifest.training
    vectors = np.concatenate([ours.vectors(place) for place in result.places])
    tables = []
    for place in result.places:
        row_of = np.searchsorted(np.flatnonzero(place.series.observed), place.last_minutes)
        tables.append(first.scored.filter(pl.col("node") == place.series.node)[row_of])
    networks = [place.series.network for place in result.places]
    several = len(networks) > 1
    conditions = charts.conditions(result.outcomes, result.references)
    return {
        "title": f"Faults of {', '.join(networks)}: {'networks' if several else 'a network'} never trained on",
        "lead": f"{traffic}, which Faultprint meets for the first time. It knows one example of each fault, taught by other "
        "networks, and the first hour of traffic as what is normal here.",
        "facts": [
            ["trained on", f"{len(record['networks'])} other networks"],
            ["thresholds set on", f"{len(record['held_out'])} more"],
            ["examples", f"{len(result.references)} faults, one each"],
            ["persistence", f"{PERSISTENCE} minutes"],
            ["seed", str(seed)],
            ["all in", f"{seconds:.0f} s"],
        ],
        "conditions": conditions if real is None else [*conditions, CONDITION],
        "systems": [
            charts.system(outcome, NAMES[outcome.name], result.evidence if outcome is first else None)
            for outcome in result.outcomes
        ],
        "tracks": _tracks(result, labels),
        "cloud": charts.cloud(vectors, pl.concat(tables), result.references, seed),
        "capture": None if real is None else {"text": real.lines(), "tracks": _real_tracks(real)},
    }


def _tracks(result: Comparison, labels: pl.DataFrame) -> list[dict[str, Any]]:
    faults = of_faults(labels)
    window = result.ours.model.window
    tracks = []
    for place in result.places:
        series = place.series
        lanes = [("truth", result.outcomes[0].scored, "truth")]
        lanes += [(NAMES[outcome.name], outcome.scored, "verdict") for outcome in result.outcomes]
        ends = faults.filter(pl.col("node").cast(pl.String) == series.node)["end"].to_list()
        tracks.append(charts.track(series.node, lanes, series.interval_us, ended=ends, window=window))
    return tracks


def _real_tracks(real: Recognition) -> list[dict[str, Any]]:
    taught = (pl.col("minute") >= real.reference.start) & (pl.col("minute") < real.reference.end)
    lessons = real.scored.with_columns(
        lesson=pl.when(taught & (pl.col("node") == real.reference.node)).then(pl.lit(CONDITION))
    )
    lanes = [("taught", lessons, "lesson"), ("truth", lessons, "truth"), ("Faultprint", lessons, "condition")]
    nodes = real.scored["node"].cast(pl.String).unique(maintain_order=True).to_list()
    return [charts.track(node, lanes, real.interval_us) for node in nodes]
