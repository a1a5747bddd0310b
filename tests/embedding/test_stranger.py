"""What is normal for nobody in particular: kept with the model, and taken away from a stranger's vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.synthetic import minutes, random_artefact

from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact, read, save
from faultprint.embedding.population_baseline import NODES, population_baseline
from faultprint.errors import ModelError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import Series, series


@pytest.fixture(scope="module")
def known() -> ModelArtifact:
    return random_artefact()


def node(seed: int, length: int = 200) -> Series:
    return series(minutes(f"n-{seed}", length, seed=seed), SIP_CATALOGUE.names)[0]


def test_it_is_saved_and_read_as_it_was(known: ModelArtifact, tmp_path: Path) -> None:
    save(known, tmp_path / "model")
    back = read(tmp_path / "model")
    assert back.id == known.id
    assert known.manifest.population_baseline and back.manifest.population_baseline
    assert np.array_equal(back.manifest.population_baseline.mean, known.manifest.population_baseline.mean)
    assert np.array_equal(back.manifest.population_baseline.short_mean, known.manifest.population_baseline.short_mean)  # type: ignore[arg-type]


def test_a_model_of_before_keeps_its_identity_and_says_that_it_knows_no_strangers(known: ModelArtifact) -> None:
    before = json.loads(known.manifest.to_json())
    del before["stranger"]
    manifest = Manifest.from_json(json.dumps(before))
    assert json.loads(manifest.to_json()) == before
    with pytest.raises(ModelError, match="does not tell what is normal for a node of which nothing is known"):
        _ = Model(replace(known, manifest=manifest)).population_baseline


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(stranger=[1.0]), "stranger is"),
        (lambda m: m["stranger"].update(more=1), "mean, recent and nothing else"),
        (lambda m: m["stranger"].update(mean=[0.0]), "must be 32 finite numbers"),
        (lambda m: m["stranger"].update(recent=["x"] * 32), "must be 32 finite numbers"),
    ],
)
def test_a_strangers_normal_that_is_none(known: ModelArtifact, change: Callable[[Any], Any], words: str) -> None:
    manifest = json.loads(known.manifest.to_json())
    change(manifest)
    with pytest.raises(ModelError, match=words):
        Manifest.from_json(json.dumps(manifest))


def test_it_is_the_mean_of_nodes_that_weigh_alike(known: ModelArtifact) -> None:
    model, people = Model(known), known.manifest.population
    assert people is not None
    hours = np.arange(141)
    several = [population_baseline(model, [(node(seed), hours)], people) for seed in range(3)]
    together = population_baseline(model, [(node(0), hours), (node(1), hours), (node(2), hours[:1])], people)
    last = population_baseline(model, [(node(2), hours[:1])], people)
    assert np.allclose(together.mean, (several[0].mean + several[1].mean + last.mean) / 3, atol=1e-6)
    vectors = model.embed(node(0), people, ends=np.array([59, 119, 179])).vectors
    assert np.allclose(several[0].mean, vectors.mean(axis=0), atol=1e-6)


def test_of_very_many_nodes_some_are_asked(known: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    model, people, asked = Model(known), known.manifest.population, set()
    assert people is not None
    embed = Model.embed
    monkeypatch.setattr(
        Model, "embed", lambda self, part, *rest, **more: asked.add(part.node) or embed(self, part, *rest, **more)
    )
    population_baseline(model, [(node(seed, 60), np.arange(1)) for seed in range(3 * NODES)], people)
    assert len(asked) == NODES and {"n-0", f"n-{3 * NODES - 1}"} <= asked
