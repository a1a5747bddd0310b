"""Five small networks with two faults that every correct training must separate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.storage import schema
from faultprint.tables import LABELS
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.models import reference_task
from faultprint.training.presets import PRESETS

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTES = 480
#: (first minute, minute after the last, condition); the rest is normal but for five minutes of recovery after each.
EPISODES = ((140, 170, "errors"), (260, 290, "slow"), (380, 410, "errors"))


def _columns(rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    rate, delay = np.exp(rng.normal(3, 0.5)), np.exp(rng.normal(-2, 0.5))
    struck = {word: np.zeros(MINUTES, dtype=np.bool_) for word in ("errors", "slow")}
    for start, end, word in EPISODES:
        struck[word][start:end] = True
    columns: dict[str, npt.NDArray[Any]] = {}
    for feature in SIP_CATALOGUE.features:
        statistic = feature.name.rsplit(".", 1)[1]
        if feature.kind == "count":
            value = rng.poisson(rate, MINUTES).astype(float)
        elif statistic == "server_error_share":
            value = rng.binomial(20, np.where(struck["errors"], 0.5, 0.02)) / 20
        elif feature.kind == "ratio":
            value = rng.binomial(20, 0.5, MINUTES) / 20
        elif feature.kind == "seconds":
            value = delay * np.where(struck["slow"], 6, 1) * np.exp(rng.normal(0, 0.1, MINUTES))
        else:
            value = rng.normal(1000, 50, MINUTES)
        columns[feature.name] = value.astype(np.float32)
    return columns


def _labels(node: str) -> list[tuple[str, datetime, datetime, str, None]]:
    rows, done = [], 0
    for start, end, word in EPISODES:
        rows += [(done, start, "normal"), (start, end, word), (end, end + 5, "recovery")]
        done = end + 5
    rows.append((done, MINUTES, "normal"))
    return [(node, START + timedelta(minutes=a), START + timedelta(minutes=b), word, None) for a, b, word in rows]


@pytest.fixture(scope="session")
def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    """MINUTES and LABELS of five networks."""
    frames, rows = [], []
    minutes = [START + timedelta(minutes=i) for i in range(MINUTES)]
    for index in range(5):
        node = f"pcscf{index}"
        fixed = {"node": [node] * MINUTES, "network": [f"net{index}"] * MINUTES, "minute": minutes}
        seen = {"observed": np.ones(MINUTES, dtype=np.float32)}
        frames.append(pl.DataFrame(fixed | seen | _columns(np.random.default_rng(index))))
        rows += _labels(node)
    every = pl.concat(frames).with_columns(pl.col("minute").cast(pl.Datetime("us", "UTC")))
    return every, pl.DataFrame(rows, schema=schema(LABELS), orient="row")


@pytest.fixture(scope="session")
def small(tables: tuple[pl.DataFrame, pl.DataFrame]) -> TrainingSet:
    """The same as a training set."""
    return training_set(*tables, SIP_CATALOGUE)


@pytest.fixture
def moved(small: TrainingSet) -> Callable[[Model, int], tuple[Float32Array, IntArray]]:
    """A function of a model and a node: vectors relative to the mean of its first hour, and codes, of the used windows."""

    def embed(model: Model, number: int) -> tuple[Float32Array, IntArray]:
        node = small.nodes[number]
        baseline = model.baseline(node.series.slice(0, 60))
        windows = model.embed(node.series, baseline.profile)
        code = node.code[windows.last_minute].astype(np.int64)
        used = (code == 0) | ((code > 0) & (node.fault_minutes[windows.last_minute] >= 10))
        return (windows.vectors - baseline.mean)[used], code[used]

    return embed


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of a few steps and a calibration on a few windows, with unchanged networks."""
    for name, steps, windows in (("default", 8, 200), ("reference-lstm", 1, 20), ("reference-lstm-3d", 1, 20)):
        preset = PRESETS[name]
        quick = replace(preset, plan=replace(preset.plan, steps=steps), calibration_windows=windows)
        monkeypatch.setitem(PRESETS, name, quick)  # type: ignore[misc]
    monkeypatch.setattr(reference_task, "WINDOWS_PER_CONDITION", 3)
    monkeypatch.setattr(reference_task, "BATCH", 4)
