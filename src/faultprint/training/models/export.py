"""Export of a trained task: the model file's content, checked against torch and calibrated."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact
from faultprint.errors import ModelError
from faultprint.training.calibration import calibrate
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.models.population_baseline import compute_population_baseline
from faultprint.training.models.task import TrainingTask
from faultprint.version import __version__

TOLERANCE: Final = 1e-5
"""Largest accepted difference between the vectors of torch and ONNX Runtime, relative to the largest component."""


def model_artifact(
    task: TrainingTask, preset: str, train: TrainingSet, interval_us: int, record: dict[str, Any]
) -> tuple[ModelArtifact, float]:
    """The model without calibration, and the largest difference between torch and ONNX Runtime on a held-out node.

    Raises ModelError if the difference is larger than TOLERANCE.
    """
    manifest = Manifest(
        preset,
        task.encoder,
        train.catalogue,
        interval_us,
        train.window,
        task.dimensions,
        task.spans,
        task.population,
        {**record, "conditions": list(train.conditions), "versions": versions()},
        {},
    )
    artifact = ModelArtifact(manifest, task.graphs())
    expected, exported = task.compare(Model(artifact))
    difference = float(np.abs(expected - exported).max() / max(1.0, np.abs(expected).max()))
    if not difference <= TOLERANCE:
        raise ModelError(
            f"The exported graphs differ from the trained network by {difference:.1e}, but at most {TOLERANCE:.0e} is allowed, "
            "so nothing was saved; train again with another seed."
        )
    return artifact, difference


def calibrate_artifact(
    artifact: ModelArtifact, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, max_windows: int
) -> ModelArtifact:
    """The model with its calibration (see `training.calibration`) and its population baseline."""
    model, population = Model(artifact), artifact.manifest.population
    calibration = calibrate(model, train, held_out, rng, max_windows)
    baseline = None
    if population:
        nodes = [(node.series, node.normal_hours) for node in train.nodes]
        baseline = compute_population_baseline(model, nodes, population)
    manifest = replace(artifact.manifest, calibration=calibration, population_baseline=baseline)
    return replace(artifact, manifest=manifest)


def versions() -> dict[str, str]:
    """The versions of the software that the training ran on."""
    return {
        "faultprint": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
