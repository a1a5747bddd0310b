"""Training beside the posts' own tool: their network in three towers as Keras 3 builds and trains it on TensorFlow, one thread.

    .venv/bin/pip install '.[keras]' && python -m benchmarks keras

Not among the stages of `make bench`, because TensorFlow is larger than all the rest together.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from benchmarks.interleaved import RUNS, rates
from benchmarks.training_data import simulated
from faultprint.training.data.samplers import Triplets
from faultprint.training.losses.triplet import MARGIN
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import BATCH, LEARNING_RATE
from faultprint.training.networks.reference_lstm import DIMENSIONS, HIDDEN

_STEPS, _POSTS_STEPS = 12, 3


def run() -> list[dict[str, Any]]:
    """The row training.windows_per_s_keras: steps of both in turns, sampling included."""
    torch.set_num_threads(1)
    material = simulated()
    ours = PooledTask(material, material, np.random.default_rng(1))
    theirs = _towers(material.window, len(material.catalogue))
    triplets = Triplets(material, np.random.default_rng(1))
    nothing = np.zeros(BATCH, np.float32)

    def mine() -> int:
        return sum(ours.step(0.0).windows for _ in range(_STEPS))

    def posts() -> int:
        for _ in range(_POSTS_STEPS):
            theirs.train_on_batch(list(triplets.draw(BATCH)), nothing)
        return 3 * BATCH * _POSTS_STEPS

    rate = rates({"default": mine, "posts": posts})
    fast, slow = rate["default"], rate["posts"]
    return [
        {
            "name": "training.windows_per_s_keras",
            "value": fast,
            "unit": "windows/s",
            "against": f"posts three-tower in Keras: {slow:.1f} windows/s",
            "ratio": fast / slow,
            "runs": RUNS,
        }
    ]


def _towers(window: int, features: int) -> Any:
    """Three inputs, one shared base network, the triplet loss on what comes out."""
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
    vectors = layers.Concatenate()([base(one) for one in inputs])

    def loss(_: Any, joined: Any) -> Any:
        anchor, positive, negative = keras.ops.split(joined, 3, axis=1)
        near, far = (keras.ops.sum((anchor - other) ** 2, axis=1) for other in (positive, negative))
        return keras.ops.maximum(near - far + MARGIN, 0)

    model = keras.Model(inputs, vectors)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    return model
