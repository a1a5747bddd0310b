"""The population baseline: stored in the model file, and subtracted from the vectors of a node without history."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.synthetic import minutes, random_artifact

from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact, read_artifact, write_artifact
from faultprint.errors import ModelError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.models.population_baseline import MAX_NODES, compute_population_baseline
from faultprint.windows.series import Series, build_series


@pytest.fixture(scope="module")
def artifact() -> ModelArtifact:
    return random_artifact()


def node(seed: int, length: int = 200) -> Series:
    return build_series(minutes(f"n-{seed}", length, seed=seed), SIP_CATALOGUE.names)[0]


def test_it_is_written_and_read_back_equal(artifact: ModelArtifact, tmp_path: Path) -> None:
    write_artifact(artifact, tmp_path / "model")
    again = read_artifact(tmp_path / "model")
    assert again.id == artifact.id
    written, read = artifact.manifest.population_baseline, again.manifest.population_baseline
    assert written and read
    assert np.array_equal(read.mean, written.mean)
    assert written.short_mean is not None and read.short_mean is not None
    assert np.array_equal(read.short_mean, written.short_mean)


def test_an_older_model_keeps_its_id_and_has_no_population_baseline(artifact: ModelArtifact) -> None:
    """The stored key is "stranger": the id of every model in use hashes it."""
    older = json.loads(artifact.manifest.to_json())
    assert list(older)[-1] == "stranger" and set(older["stranger"]) == {"mean", "recent"}
    del older["stranger"]
    manifest = Manifest.from_json(json.dumps(older))
    assert json.loads(manifest.to_json()) == older
    with pytest.raises(ModelError, match="has no population baseline"):
        _ = Model(replace(artifact, manifest=manifest)).population_baseline


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(stranger=[1.0]), "stranger is"),
        (lambda m: m["stranger"].update(more=1), "mean, recent and nothing else"),
        (lambda m: m["stranger"].update(mean=[0.0]), "must be 32 finite numbers"),
        (lambda m: m["stranger"].update(recent=["x"] * 32), "must be 32 finite numbers"),
    ],
)
def test_a_damaged_population_baseline_is_refused(
    artifact: ModelArtifact, change: Callable[[Any], Any], sentence: str
) -> None:
    manifest = json.loads(artifact.manifest.to_json())
    change(manifest)
    with pytest.raises(ModelError, match=sentence):
        Manifest.from_json(json.dumps(manifest))


def test_it_is_the_mean_over_nodes_of_equal_weight(artifact: ModelArtifact) -> None:
    model, population = Model(artifact), artifact.manifest.population
    assert population is not None
    hours = np.arange(141)
    single = [compute_population_baseline(model, [(node(seed), hours)], population) for seed in range(3)]
    together = compute_population_baseline(
        model, [(node(0), hours), (node(1), hours), (node(2), hours[:1])], population
    )
    last = compute_population_baseline(model, [(node(2), hours[:1])], population)
    assert np.allclose(together.mean, (single[0].mean + single[1].mean + last.mean) / 3, atol=1e-6)
    vectors = model.embed(node(0), population, ends=np.array([59, 119, 179])).vectors
    assert np.allclose(single[0].mean, vectors.mean(axis=0), atol=1e-6)


def test_only_some_of_very_many_nodes_are_embedded(artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    model, population, embedded = Model(artifact), artifact.manifest.population, set()
    assert population is not None
    embed = Model.embed
    monkeypatch.setattr(
        Model, "embed", lambda self, part, *rest, **more: embedded.add(part.node) or embed(self, part, *rest, **more)
    )
    compute_population_baseline(model, [(node(seed, 60), np.arange(1)) for seed in range(3 * MAX_NODES)], population)
    assert len(embedded) == MAX_NODES and {"n-0", f"n-{3 * MAX_NODES - 1}"} <= embedded
