"""Make the default model, the starter library and the model card from the repository alone.

recipe ─simulate→ traffic ─train→ model ─enrol, calibrate→ library ─evaluate→ card
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from faultprint import pretrained
from faultprint.cases.calibration import calibrate_library
from faultprint.cases.library import Library
from faultprint.embedding.model import Model, load_model
from faultprint.evaluation.evaluate import evaluate
from faultprint.files import replacing
from faultprint.training.config import TrainingConfig
from faultprint.training.train import TrainingReport, train
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.pretrained.recipe import RECIPE, Recipe
from faultprint_lab.pretrained.references import starter_references
from faultprint_lab.pretrained.traffic import RecipeTraffic, recipe_traffic

FIGURES: Final = (
    "macro_f1",
    "macro_f1_exposed",
    "false_alarms_per_day",
    "episodes_found",
    "delay_median_minutes",
    "clearing_median_minutes",
)


def make(work: Path, out: Path, recipe: Recipe = RECIPE, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Write model, library and card to `out`, and all intermediate files to `work`. Returns the card.

    Raises the errors of the stages.
    """
    began = time.monotonic()
    now = datetime.now(UTC).replace(microsecond=0)
    log(
        f"Simulating {recipe.networks + recipe.calibration_networks} networks of {recipe.days:g} days, and those of the report …"
    )
    traffic = recipe_traffic(recipe, work)
    log(f"Training {recipe.epochs} epochs …")
    trained = train(
        *traffic.training, work / pretrained.MODEL.name, TrainingConfig(seed=recipe.seed, epochs=recipe.epochs)
    )
    model = load_model(work / pretrained.MODEL.name)
    log("Enrolling the starter library, and setting its thresholds …")
    _make_library(work / pretrained.LIBRARY.name, model, traffic, recipe, now)
    log("Scoring the networks of the report …")
    with Library.open(work / pretrained.LIBRARY.name) as library:
        figures = {name: _figures(model, library, tables, recipe) for name, tables in traffic.report.items()}
        references = Counter(reference.condition for reference in library.references())
    card = {
        "model": model.id,
        "catalogue": model.catalogue.hash,
        "made": now.isoformat(),
        "seconds": round(time.monotonic() - began),
        "processors": os.cpu_count(),
        "recipe": recipe.as_dict(),
        "training": _training(trained),
        "references": dict(sorted(references.items())),
        "figures": figures,
        "sha256": {path.name: _digest(work / path.name) for path in (pretrained.MODEL, pretrained.LIBRARY)},
    }
    for path in (pretrained.MODEL, pretrained.LIBRARY):
        with replacing(out / path.name) as temporary:
            temporary.write_bytes((work / path.name).read_bytes())
    with replacing(out / pretrained.CARD.name) as temporary:
        temporary.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return card


def _make_library(path: Path, model: Model, traffic: RecipeTraffic, recipe: Recipe, now: datetime) -> None:
    path.unlink(missing_ok=True)
    with Library.open(path, create=True) as library:
        library.add(starter_references(traffic.simulated, model, recipe.simulated_references, "simulator", now))
        library.add(starter_references(traffic.testbed, model, recipe.testbed_references, "test bed", now))
        calibrate_library(*traffic.calibration, model, library, max_alarms_per_day=recipe.false_alarms_per_day)
    # An installed file is read from a folder that cannot be written, where a write-ahead log cannot be opened.
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("VACUUM")
    connection.close()


def _training(report: TrainingReport) -> dict[str, Any]:
    return {
        "networks": len(report.networks),
        "held_out": len(report.held_out),
        "score": round(report.score, 4),
        "conditions": list(report.conditions),
    }


def _figures(model: Model, library: Library, tables: Tables, recipe: Recipe) -> dict[str, Any]:
    found = evaluate(*tables, model, library, persistence=recipe.confirm_minutes)
    summary = found.summary()
    return {name: summary[name] for name in FIGURES} | {"conditions": found.by_condition()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
