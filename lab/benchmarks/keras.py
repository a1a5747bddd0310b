"""Training against the tool of the 2017 baseline: its network in three towers in Keras 3 on TensorFlow, one thread.

    .venv/bin/pip install '.[keras]' && python -m benchmarks keras

It is not part of `make bench`, because TensorFlow is larger than all other packages together.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from benchmarks.interleaved import RUNS, rates
from benchmarks.training_data import simulated
from faultprint.training.data.samplers import TripletSampler
from faultprint.training.losses.triplet import MARGIN
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import BATCH, LEARNING_RATE
from faultprint.training.networks.reference_lstm import DIMENSIONS, HIDDEN

_STEPS, _REFERENCE_STEPS = 12, 3


def run() -> list[dict[str, Any]]:
    """The row training.windows_per_s_keras: steps of both in turns, with sampling."""
    torch.set_num_threads(1)
    material = simulated()
    default_task = PooledTask(material, material, np.random.default_rng(1))
    keras_model = _towers(material.window, len(material.catalogue))
    triplets = TripletSampler(material, np.random.default_rng(1))
    unused_targets = np.zeros(BATCH, np.float32)

    def default() -> int:
        return sum(default_task.step(0.0).windows for _ in range(_STEPS))

    def reference() -> int:
        for _ in range(_REFERENCE_STEPS):
            keras_model.train_on_batch(list(triplets.draw(BATCH)), unused_targets)
        return 3 * BATCH * _REFERENCE_STEPS

    rate = rates({"default": default, "reference": reference})
    fast, slow = rate["default"], rate["reference"]
    return [
        {
            "name": "training.windows_per_s_keras",
            "value": fast,
            "unit": "windows/s",
            "against": f"2017 baseline, three towers in Keras: {slow:.1f} windows/s",
            "ratio": fast / slow,
            "runs": RUNS,
        }
    ]


def _towers(window: int, features: int) -> Any:
    """Three inputs, one shared network, and the triplet loss on its outputs."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input((window, features)),
            layers.BatchNormalization(),
            layers.LSTM(HIDDEN, return_sequences=True),
            layers.LSTM(HIDDEN),
            layers.BatchNormalization(),
            layers.Dense(HIDDEN, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(DIMENSIONS),
            layers.BatchNormalization(),
        ]
    )
    inputs = [keras.Input((window, features)) for _ in range(3)]
    vectors = layers.Concatenate()([base(tower) for tower in inputs])

    def loss(_: Any, joined: Any) -> Any:
        anchor, positive, negative = keras.ops.split(joined, 3, axis=1)
        positive_distance, negative_distance = (
            keras.ops.sum((anchor - other) ** 2, axis=1) for other in (positive, negative)
        )
        return keras.ops.maximum(positive_distance - negative_distance + MARGIN, 0)

    model = keras.Model(inputs, vectors)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    return model
