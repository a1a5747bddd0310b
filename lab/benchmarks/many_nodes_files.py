"""Make the files of `many_nodes`, in a process of its own, so that the monitor's process holds nothing else.

    python -m benchmarks.many_nodes_files FOLDER

Weights and references are random, which does not change the speed.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from benchmarks.inference import untrained
from benchmarks.many_nodes import LIBRARY, MODEL, VALUES
from benchmarks.training_data import simulated
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import write_artifact
from faultprint.training.models.pooled_task import PooledTask

_REFERENCES = 50


def make(folder: Path) -> None:
    """A model, a library, and values (T, F) of the minutes of a simulated node."""
    torch.manual_seed(1)
    training = simulated()
    write_artifact(untrained(PooledTask(training, training, np.random.default_rng(1))), folder / MODEL)
    with Library.open(folder / LIBRARY, create=True) as library:
        library.add(_references(load_model(folder / MODEL)))
    np.save(folder / VALUES, training.nodes[0].series.values)


def _references(model: Model) -> list[Reference]:
    rng, interval = np.random.default_rng(2), (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    return [
        Reference(f"fault-{n % 10}", vector, model.id, "node", "network", *interval, 1, interval[1])
        for n, vector in enumerate(rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32))
    ]


if __name__ == "__main__":
    make(Path(sys.argv[1]))
