"""The numbers of the default preset: what they may be, and that they reach the network and the artefact."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.embedding.model_file import read_artifact
from faultprint.errors import DivergedError, UsageError
from faultprint.training import config as numbers
from faultprint.training.config import RANGES, Hyperparameters, TrainingConfig
from faultprint.training.models.pretrained import SIZES
from faultprint.training.train import train

Tables = tuple[pl.DataFrame, pl.DataFrame]
OTHERS = Hyperparameters(wide=32, code=16, head=64, dimensions=8, chunks_per_fault=2, chunks_of_normal=8)


def test_every_setting_has_a_range_with_its_default_on_the_grid() -> None:
    assert [field.name for field in fields(Hyperparameters)] == list(RANGES)
    for name, value in Hyperparameters().as_dict().items():
        one = RANGES[name]
        assert one.low <= value <= one.high
        assert isinstance(value, int) == bool(one.step)
        assert not one.step or (value - one.low) % one.step == 0


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    numbers.write(OTHERS, tmp_path / "best.json")
    assert numbers.read(tmp_path / "best.json") == OTHERS
    (tmp_path / "some.json").write_text('{"wide": 64}')
    assert numbers.read(tmp_path / "some.json") == Hyperparameters(wide=64)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "contains no settings"),
        ("[1]", "contains no settings"),
        ("[" * 100_000, "contains no settings"),
        ('{"width": 3}', "'width', which is not a setting"),
        ('{"wide": 1}', "wide is 1, but it must be a whole number from 32 to 256"),
        ('{"wide": 64.0}', r"wide is 64\.0, but"),
        ('{"wide": true}', "wide is True"),
        ('{"dropout": NaN}', "dropout is nan"),
        ('{"dropout": null}', "dropout is None"),
        ('{"learning_rate": 1e999}', "learning_rate is inf"),
        ('{"learning_rate": "4e-3"}', "learning_rate is '4e-3', but it must be a number from 0.0005 to 0.02"),
    ],
)
def test_what_is_no_settings_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(UsageError, match=sentence):
        numbers.read(tmp_path / "bad.json")


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from([*RANGES, "x"]), st.floats() | st.integers()).map(json.dumps)
)
def test_a_file_gives_settings_within_their_ranges_or_one_sentence(tmp_path_factory: Any, content: bytes | str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = numbers.read(path).as_dict()
    except UsageError:
        return
    assert all(RANGES[name].low <= value <= RANGES[name].high for name, value in found.items())


@pytest.mark.usefixtures("short")
def test_settings_reach_the_artefact(tables: Tables, tmp_path: Path) -> None:
    train(*tables, tmp_path / "m", TrainingConfig(epochs=1, hyperparameters=OTHERS), checkpoint=tmp_path / "checkpoint")
    train(*tables, tmp_path / "plain", TrainingConfig(epochs=1))
    train(*tables, tmp_path / "named", TrainingConfig(epochs=1, hyperparameters=Hyperparameters()))
    artefact = read_artifact(tmp_path / "m")
    assert artefact.manifest.dimensions == 8 + SIZES["dimensions"]
    assert artefact.manifest.training["settings"] == OTHERS.as_dict()
    plain, named = (read_artifact(tmp_path / name) for name in ("plain", "named"))
    assert plain.graphs == named.graphs
    assert plain.manifest.training["settings"] == named.manifest.training["settings"] == Hyperparameters().as_dict()
    with pytest.raises(UsageError, match="another training, which differs in its settings;"):
        train(*tables, tmp_path / "other", TrainingConfig(epochs=1), checkpoint=tmp_path / "checkpoint")
    with pytest.raises(UsageError, match="'reference-lstm' has no settings"):
        train(*tables, tmp_path / "other", TrainingConfig(epochs=1, preset="reference-lstm", hyperparameters=OTHERS))


@pytest.mark.usefixtures("short")
def test_a_training_that_diverges_says_so(tables: Tables, tmp_path: Path) -> None:
    wild = Hyperparameters()
    object.__setattr__(wild, "learning_rate", 1e30)
    with pytest.raises(DivergedError, match="diverged in epoch 1"):
        train(*tables, tmp_path / "m", TrainingConfig(epochs=1, hyperparameters=wild))
    assert not (tmp_path / "m").exists()
