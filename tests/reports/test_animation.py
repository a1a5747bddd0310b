"""The animation page: it rotates the space without distortion, is self-contained, and treats names as data."""

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
from faultprint.training.animation import EmbeddingAnimation, probe_set
from faultprint.training.data.dataset import training_set
from faultprint.training.loop import Epoch, History
from faultprint.training.train import TrainingReport

Tables = tuple[pl.DataFrame, pl.DataFrame]
EVIL = "</script><script>alert(1)</script>&amp;\u2028<b>"


def training_report(model: Model, learnt: Tables, frames: int, dimensions: int, best: int) -> TrainingReport:
    """A training with random vectors; if there are more than three dimensions, only axes 1, 4 and 6 are used."""
    complete = training_set(*learnt, model.catalogue)
    held_out = frozenset([complete.networks[-1]])
    probes = probe_set(
        complete.select(frozenset(complete.networks) - held_out),
        complete.select(held_out),
        np.random.default_rng(1),
        size=60,
    )
    rng = np.random.default_rng(2)
    recorded = EmbeddingAnimation(probes)
    for done in range(frames):
        vectors = np.zeros((len(probes.node), dimensions), dtype=np.float32)
        vectors[:, [1, 4, 6] if dimensions > 3 else [0, 1, 2]] = done + rng.normal(size=(len(probes.node), 3))
        recorded.add(done, vectors, best + 1)
    epochs = [Epoch(1 / done, 0.5, 2.0, 0.5, 1.0, 10.0, 1e-3) for done in range(1, frames)]
    history = History(epochs=epochs, best_epoch=best, stopped="all epochs done").as_dict()
    return TrainingReport(
        preset="default",
        seed=1,
        path="m",
        model="m",
        conditions=probes.conditions,
        networks=("a", "b"),
        held_out=("c",),
        score=0.5,
        effective_dimensions=2.0,
        windows_per_second=10.0,
        triplets_per_second=10.0,
        export_difference=0.0,
        history=history,
        animation=recorded,
    )


@pytest.fixture(scope="module")
def training(model: Model, learnt: Tables) -> TrainingReport:
    return training_report(model, learnt, 4, 8, 1)


def positions(page: dict[str, Any], frame: int) -> np.ndarray:
    return np.array(page["frames"][frame]["points"]).reshape(-1, 3)


def test_all_frames_have_the_same_axes_and_scale(training: TrainingReport) -> None:
    page, recorded = animation.page_data(training), training.animation
    assert recorded is not None
    assert [frame["done"] for frame in page["frames"]] == [0, 1, 2, 3]
    assert page["kept"] == 2
    drawn = np.concatenate([positions(page, index) for index in range(4)])
    real = np.concatenate([recorded.frames[index] for index in range(4)])
    apart, between = (np.linalg.norm(one[:, None] - one[None], axis=2) for one in (drawn, real))
    scale = apart.max() / between.max()
    assert apart == pytest.approx(scale * between, abs=3)
    low, high = np.array(page["ranges"]).T
    assert (low < drawn.min(axis=0)).all() and (high > drawn.max(axis=0)).all()


def test_three_dimensions_are_drawn_unchanged(model: Model, learnt: Tables) -> None:
    training = training_report(model, learnt, 2, 3, 0)
    page, recorded = animation.page_data(training), training.animation
    assert recorded is not None
    scale = 1000 / max(np.abs(frame).max() for frame in recorded.frames.values())
    assert positions(page, 1) == pytest.approx(recorded.frames[1] * scale, abs=0.51)
    assert "three axes" in page["axes"]


def test_marks_are_the_means_of_training_windows(training: TrainingReport) -> None:
    page = animation.page_data(training)
    code, held = np.array(page["code"]), np.array(page["held_out"], dtype=bool)
    assert page["frames"][2]["marks"][0] == [0, 0, 0]
    for condition in range(1, len(page["conditions"])):
        mean = positions(page, 2)[(code == condition) & ~held].mean(axis=0)
        assert page["frames"][2]["marks"][condition] == pytest.approx(mean, abs=1)
    recorded = training.animation
    assert recorded is not None
    alone = replace(recorded, probes=replace(recorded.probes, held_out=np.ones_like(recorded.probes.held_out)))
    bare = animation.page_data(replace(training, animation=alone))
    assert bare["frames"][0]["marks"][1:] == [None] * (len(page["conditions"]) - 1)
    assert bare["frames"][0]["right"][0] is None


def test_the_page_is_self_contained(training: TrainingReport, tmp_path: Path) -> None:
    path = tmp_path / "animation.html"
    animation.write(training, path)
    text = path.read_text("utf-8")
    assert len(text) < 5_000_000
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found and json.loads(found[1]) == animation.page_data(training)
    for name in ("animation.html", "animation.css", "animation.js"):
        source = (files("faultprint.reports") / name).read_text("utf-8")
        assert not set(re.findall(r"https?://[^\s\"'`)]+", source)) - {"http://www.w3.org/2000/svg"}
        assert not re.search(r"\b(src|href|fetch|import|url)\s*[=(]", source)
        assert "innerHTML" not in source


def test_names_are_never_markup(training: TrainingReport, tmp_path: Path) -> None:
    recorded = training.animation
    assert recorded is not None
    first = replace(recorded.probes.nodes[0], series=replace(recorded.probes.nodes[0].series, node=EVIL))
    named = replace(recorded.probes, nodes=(first, *recorded.probes.nodes[1:]), conditions=("normal", EVIL, "b", "c"))
    evil = replace(training, preset=EVIL, animation=replace(recorded, probes=named))
    texts = []
    for report, name in ((training, "a"), (evil, "b")):
        animation.write(report, tmp_path / f"{name}.html")
        texts.append((tmp_path / f"{name}.html").read_text("utf-8"))
    for mark in ("<script", "</script", "<b>"):
        assert texts[0].count(mark) == texts[1].count(mark)
    assert any("&lt;b&gt;" in words for words in animation.page_data(evil)["text"])


def test_paths_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    animation.check(tmp_path / "page.HTML")
    with pytest.raises(UsageError, match=r"does not end in \.html"):
        animation.check(tmp_path / "page.mp4")
    with pytest.raises(UsageError, match="does not exist"):
        animation.check(tmp_path / "none" / "animation.html")
