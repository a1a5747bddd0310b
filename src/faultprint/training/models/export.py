"""From a trained task to an artefact, looked over before it is saved."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

import faultprint
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact
from faultprint.embedding.population_baseline import population_baseline
from faultprint.errors import ModelError
from faultprint.training.calibration import calibrate
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.models.task import TrainingTask

TOLERANCE: Final = 1e-5
"""Largest difference between torch's and ONNX Runtime's vectors that is let pass, relative to the largest component."""


def model_artifact(
    task: TrainingTask, preset: str, train: TrainingSet, interval_us: int, record: dict[str, Any]
) -> tuple[ModelArtifact, float]:
    """The uncalibrated artefact, and the largest difference between torch and ONNX Runtime on a held-out node.

    Raises ModelError where they differ by more than TOLERANCE.
    """
    manifest = Manifest(
        preset,
        task.encoder,
        train.catalogue,
        interval_us,
        train.window,
        task.dimensions,
        task.spans,
        task.people,
        {**record, "conditions": list(train.conditions), "versions": versions()},
        {},
    )
    artefact = ModelArtifact(manifest, task.graphs())
    expected, found = task.compare(Model(artefact))
    difference = float(np.abs(expected - found).max() / max(1.0, np.abs(expected).max()))
    if not difference <= TOLERANCE:
        raise ModelError(
            f"The exported graphs differ from the trained network by {difference:.1e}, more than {TOLERANCE:.0e}, so nothing "
            "was saved; train anew with another seed."
        )
    return artefact, difference


def calibrated(
    artefact: ModelArtifact, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, most: int
) -> ModelArtifact:
    """The artefact with the distances of held-out networks in its manifest, see `calibrate`, and what is normal for a stranger."""
    model, people = Model(artefact), artefact.manifest.population
    found = calibrate(model, train, held_out, rng, most)
    met = population_baseline(model, [(node.series, node.hours) for node in train.nodes], people) if people else None
    return replace(artefact, manifest=replace(artefact.manifest, calibration=found, population_baseline=met))


def versions() -> dict[str, str]:
    """What the training ran on."""
    return {
        "faultprint": faultprint.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
