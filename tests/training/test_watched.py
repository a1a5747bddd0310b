"""The windows that are watched: balanced, the same throughout, and without influence on what is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.embedding.model import load_model
from faultprint.embedding.model_file import read
from faultprint.training.animation.probe_set import ProbeSet, probe_set
from faultprint.training.animation.recorder import MOST_FRAMES, EmbeddingAnimation
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.data.window_index import LEAST_EXPOSED
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.train import train

Tables = tuple[pl.DataFrame, pl.DataFrame]


def draw(material: TrainingSet, seed: int = 1) -> ProbeSet:
    names = frozenset(["net0", "net3"])
    return probe_set(material.of(frozenset(material.networks) - names), material.of(names), np.random.default_rng(seed))


def test_conditions_sides_and_networks_have_their_shares(small: TrainingSet) -> None:
    who = draw(small)
    assert [np.bincount(who.code[who.held_out == side]).tolist() for side in (False, True)] == [[108, 36, 36]] * 2
    networks = np.array([who.nodes[index].series.network for index in who.node])
    assert {*networks[who.held_out]} == {"net0", "net3"}
    for side, each in ((False, 12), (True, 18)):
        assert {*np.unique(networks[(who.held_out == side) & (who.code == 1)], return_counts=True)[1]} == {each}
    assert len({*zip(who.node.tolist(), who.end.tolist(), strict=True)}) == len(who.node)
    assert (who.exposed[who.code > 0] >= LEAST_EXPOSED).all()


def test_the_seed_decides(small: TrainingSet) -> None:
    first, second, other = (draw(small, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.end, second.end)
    assert not np.array_equal(first.end, other.end)


def test_a_side_may_lack_a_fault(small: TrainingSet) -> None:
    with_all = small.of(frozenset(["net1", "net2"]))
    only_normal = small.of(frozenset(["net0"]))
    for node in only_normal.nodes:
        node.code[node.code > 0] = -1
    who = probe_set(with_all, only_normal, np.random.default_rng(1))
    assert {*who.code[who.held_out]} == {0}
    assert {*who.code[~who.held_out]} == {0, 1, 2}


@pytest.mark.usefixtures("short")
def test_a_film_shows_what_is_learnt_and_changes_nothing(tables: Tables, tmp_path: Path) -> None:
    film = train(*tables, tmp_path / "filmed", epochs=1, record_animation=True).film
    train(*tables, tmp_path / "plain", epochs=1)
    assert read(tmp_path / "filmed").graphs == read(tmp_path / "plain").graphs
    assert film is not None
    who, model = film.watched, load_model(tmp_path / "filmed")
    rows = np.flatnonzero(who.node == who.node[0])
    rows = rows[np.argsort(who.end[rows])]
    node = who.nodes[who.node[0]]
    hour = int(node.hours[0])
    normal = model.baseline(node.series.part(hour, hour + 60))
    expected = model.embed(node.series, normal.profile, ends=who.end[rows]).vectors - normal.mean
    # The mean is over some of the hour's windows here, over all at work.
    assert np.abs(film.frames[1][rows] - expected).max() < 0.1 * np.abs(expected).max()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As training has it: several wait for one another longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_posts_network_is_watched_without_learning(small: TrainingSet) -> None:
    seen, held_out = small.of(frozenset(["net1", "net2"])), small.of(frozenset(["net0"]))
    who = probe_set(seen, held_out, np.random.default_rng(1), most=10)
    rng = np.random.default_rng(1)
    task = ReferenceTask(seen, held_out, rng, three_dimensions=True)
    look, before = task.watch(who), rng.bit_generator.state
    first = look()
    assert first.shape == (len(who.node), 3)
    assert np.array_equal(look(), first)
    assert rng.bit_generator.state == before
    assert task.network.training


def test_a_long_film_keeps_its_first_its_best_and_its_latest_frame(small: TrainingSet) -> None:
    film = EmbeddingAnimation(draw(small))
    for done in range(5 * MOST_FRAMES):
        film.add(done, np.zeros((1, 3), dtype=np.float32), min(done, 77))
        assert len(film.frames) <= MOST_FRAMES
        assert {0, min(done, 77), done} <= set(film.frames)
