"""The probe windows are balanced and fixed, and recording them does not change the training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.embedding.model import load_model
from faultprint.embedding.model_file import read_artifact
from faultprint.training.animation import MAX_FRAMES, EmbeddingAnimation, ProbeSet, probe_set
from faultprint.training.config import TrainingConfig
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.data.window_index import MIN_FAULT_MINUTES
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.train import train

Tables = tuple[pl.DataFrame, pl.DataFrame]


def draw(training_set: TrainingSet, seed: int = 1) -> ProbeSet:
    names = frozenset(["net0", "net3"])
    return probe_set(
        training_set.select(frozenset(training_set.networks) - names),
        training_set.select(names),
        np.random.default_rng(seed),
    )


def test_conditions_and_networks_have_their_shares(small: TrainingSet) -> None:
    probes = draw(small)
    assert [np.bincount(probes.code[probes.held_out == side]).tolist() for side in (False, True)] == [[108, 36, 36]] * 2
    networks = np.array([probes.nodes[index].series.network for index in probes.node])
    assert {*networks[probes.held_out]} == {"net0", "net3"}
    for side, each in ((False, 12), (True, 18)):
        assert {*np.unique(networks[(probes.held_out == side) & (probes.code == 1)], return_counts=True)[1]} == {each}
    assert len({*zip(probes.node.tolist(), probes.end.tolist(), strict=True)}) == len(probes.node)
    assert (probes.fault_minutes[probes.code > 0] >= MIN_FAULT_MINUTES).all()


def test_the_seed_decides(small: TrainingSet) -> None:
    first, second, other = (draw(small, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.end, second.end)
    assert not np.array_equal(first.end, other.end)


def test_a_side_may_lack_a_fault(small: TrainingSet) -> None:
    with_all = small.select(frozenset(["net1", "net2"]))
    # A copy: other tests use the same training set.
    only_normal = copy.deepcopy(small.select(frozenset(["net0"])))
    for node in only_normal.nodes:
        node.code[node.code > 0] = -1
    probes = probe_set(with_all, only_normal, np.random.default_rng(1))
    assert {*probes.code[probes.held_out]} == {0}
    assert {*probes.code[~probes.held_out]} == {0, 1, 2}


@pytest.mark.usefixtures("short")
def test_an_animation_shows_the_model_and_does_not_change_it(tables: Tables, tmp_path: Path) -> None:
    animation = train(*tables, tmp_path / "recorded", TrainingConfig(epochs=1), record_animation=True).animation
    train(*tables, tmp_path / "plain", TrainingConfig(epochs=1))
    assert read_artifact(tmp_path / "recorded").graphs == read_artifact(tmp_path / "plain").graphs
    assert animation is not None
    probes, model = animation.probes, load_model(tmp_path / "recorded")
    rows = np.flatnonzero(probes.node == probes.node[0])
    rows = rows[np.argsort(probes.end[rows])]
    node = probes.nodes[probes.node[0]]
    hour = int(node.normal_hours[0])
    normal = model.baseline(node.series.slice(hour, hour + 60))
    expected = model.embed(node.series, normal.profile, ends=probes.end[rows]).vectors - normal.mean
    # The mean is over some windows of the hour here, and over all of them in operation.
    assert np.abs(animation.frames[1][rows] - expected).max() < 0.1 * np.abs(expected).max()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One torch thread, as in training: more are slower here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_embedding_probes_does_not_change_the_reference_lstm(small: TrainingSet) -> None:
    seen, held_out = small.select(frozenset(["net1", "net2"])), small.select(frozenset(["net0"]))
    probes = probe_set(seen, held_out, np.random.default_rng(1), size=10)
    rng = np.random.default_rng(1)
    task = ReferenceTask(seen, held_out, rng, three_dimensions=True)
    embed, before = task.probe_embedder(probes), rng.bit_generator.state
    first = embed()
    assert first.shape == (len(probes.node), 3)
    assert np.array_equal(embed(), first)
    assert rng.bit_generator.state == before
    assert task.network.training


def test_a_long_animation_keeps_the_first_the_best_and_the_latest_frame(small: TrainingSet) -> None:
    animation = EmbeddingAnimation(draw(small))
    for done in range(5 * MAX_FRAMES):
        animation.add(done, np.zeros((1, 3), dtype=np.float32), min(done, 77))
        assert len(animation.frames) <= MAX_FRAMES
        assert {0, min(done, 77), done} <= set(animation.frames)
