"""The movie of a training: turned but not bent, complete, self-contained, deaf to what names might tell a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.reports import animation
from faultprint.training.animation.probe_set import probe_set
from faultprint.training.animation.recorder import EmbeddingAnimation
from faultprint.training.data.dataset import training_set
from faultprint.training.loop import Epoch, History
from faultprint.training.train import TrainingReport

Tables = tuple[pl.DataFrame, pl.DataFrame]
EVIL = "</script><script>alert(1)</script>&amp;\u2028<b>"


def filmed(model: Model, learnt: Tables, frames: int, dimensions: int, best: int) -> TrainingReport:
    """A training whose vectors are drawn at random, on axes 1, 4 and 6 only if there are more than three."""
    every = training_set(*learnt, model.catalogue)
    held_out = frozenset([every.networks[-1]])
    who = probe_set(
        every.of(frozenset(every.networks) - held_out), every.of(held_out), np.random.default_rng(1), most=60
    )
    rng = np.random.default_rng(2)
    film = EmbeddingAnimation(who)
    for done in range(frames):
        vectors = np.zeros((len(who.node), dimensions), dtype=np.float32)
        vectors[:, [1, 4, 6] if dimensions > 3 else [0, 1, 2]] = done + rng.normal(size=(len(who.node), 3))
        film.add(done, vectors, best + 1)
    epochs = [Epoch(1 / done, 0.5, 2.0, 0.5, 1.0, 10.0, 1e-3) for done in range(1, frames)]
    course = History(epochs=epochs, best_epoch=best, stopped="all epochs done").as_dict()
    return TrainingReport(
        preset="default",
        seed=1,
        path="m",
        model="m",
        conditions=who.conditions,
        networks=("a", "b"),
        held_out=("c",),
        score=0.5,
        effective_dimensions=2.0,
        windows_per_second=10.0,
        triplets_per_second=10.0,
        export_difference=0.0,
        course=course,
        film=film,
    )


@pytest.fixture(scope="module")
def training(model: Model, learnt: Tables) -> TrainingReport:
    return filmed(model, learnt, 4, 8, 1)


def places(page: dict[str, Any], frame: int) -> np.ndarray:
    return np.array(page["frames"][frame]["points"]).reshape(-1, 3)


def test_one_turn_of_the_space_serves_all_frames(training: TrainingReport) -> None:
    page, film = animation.page(training), training.film
    assert film is not None
    assert [frame["done"] for frame in page["frames"]] == [0, 1, 2, 3]
    assert page["kept"] == 2
    drawn = np.concatenate([places(page, index) for index in range(4)])
    real = np.concatenate([film.frames[index] for index in range(4)])
    apart, between = (np.linalg.norm(one[:, None] - one[None], axis=2) for one in (drawn, real))
    scale = apart.max() / between.max()
    assert apart == pytest.approx(scale * between, abs=3)
    low, high = np.array(page["ranges"]).T
    assert (low < drawn.min(axis=0)).all() and (high > drawn.max(axis=0)).all()


def test_three_numbers_are_drawn_as_they_are(model: Model, learnt: Tables) -> None:
    training = filmed(model, learnt, 2, 3, 0)
    page, film = animation.page(training), training.film
    assert film is not None
    scale = 1000 / max(np.abs(frame).max() for frame in film.frames.values())
    assert places(page, 1) == pytest.approx(film.frames[1] * scale, abs=0.51)
    assert "three axes" in page["axes"]


def test_marks_are_the_means_of_what_is_trained_on(training: TrainingReport) -> None:
    page = animation.page(training)
    code, held = np.array(page["code"]), np.array(page["held_out"], dtype=bool)
    assert page["frames"][2]["marks"][0] == [0, 0, 0]
    for condition in range(1, len(page["conditions"])):
        mean = places(page, 2)[(code == condition) & ~held].mean(axis=0)
        assert page["frames"][2]["marks"][condition] == pytest.approx(mean, abs=1)
    film = training.film
    assert film is not None
    alone = replace(film, watched=replace(film.watched, held_out=np.ones_like(film.watched.held_out)))
    bare = animation.page(replace(training, film=alone))
    assert bare["frames"][0]["marks"][1:] == [None] * (len(page["conditions"]) - 1)
    assert bare["frames"][0]["right"][0] is None


def test_the_page_is_whole_and_asks_nobody(training: TrainingReport, tmp_path: Path) -> None:
    path = tmp_path / "animation.html"
    animation.write(training, path)
    text = path.read_text("utf-8")
    assert len(text) < 5_000_000
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found and json.loads(found[1]) == animation.page(training)
    for name in ("animation.html", "animation.css", "animation.js"):
        own = (files("faultprint.reports") / name).read_text("utf-8")
        assert not set(re.findall(r"https?://[^\s\"'`)]+", own)) - {"http://www.w3.org/2000/svg"}
        assert not re.search(r"\b(src|href|fetch|import|url)\s*[=(]", own)
        assert "innerHTML" not in own


def test_names_stay_data(training: TrainingReport, tmp_path: Path) -> None:
    film = training.film
    assert film is not None
    first = replace(film.watched.nodes[0], series=replace(film.watched.nodes[0].series, node=EVIL))
    named = replace(film.watched, nodes=(first, *film.watched.nodes[1:]), conditions=("normal", EVIL, "b", "c"))
    evil = replace(training, preset=EVIL, film=replace(film, watched=named))
    texts = []
    for one, name in ((training, "a"), (evil, "b")):
        animation.write(one, tmp_path / f"{name}.html")
        texts.append((tmp_path / f"{name}.html").read_text("utf-8"))
    for mark in ("<script", "</script", "<b>"):
        assert texts[0].count(mark) == texts[1].count(mark)
    assert any("&lt;b&gt;" in words for words in animation.page(evil)["text"])


def test_where_no_movie_can_be_written(tmp_path: Path) -> None:
    animation.check(tmp_path / "movie.HTML")
    with pytest.raises(UsageError, match=r"does not end in \.html"):
        animation.check(tmp_path / "movie.mp4")
    with pytest.raises(UsageError, match="does not exist"):
        animation.check(tmp_path / "none" / "animation.html")
