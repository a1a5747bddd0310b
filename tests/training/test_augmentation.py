"""Augmentation: where copies of a fault are placed, what they look like, and what training learns from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import read_artifact
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue, Feature
from faultprint.training.augment import augmentation, synthesis
from faultprint.training.augment.augmentation import augment
from faultprint.training.augment.synthesis import FaultSynthesizer
from faultprint.training.augment.template import FaultTemplate, rare_faults
from faultprint.training.config import TrainingConfig
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.data.lazy_array import OverlayArray
from faultprint.training.score import centroids, nearest_centroid
from faultprint.training.train import train
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.series import build_series

Tables = tuple[pl.DataFrame, pl.DataFrame]
Moved = Callable[[Model, int], tuple[np.ndarray, np.ndarray]]
DELAY, SHARE = SIP_CATALOGUE.index("in.bye.delay_median"), SIP_CATALOGUE.index("in.bye.server_error_share")
ATTEMPTS = SIP_CATALOGUE.index("in.bye.attempts")
ALL: frozenset[str] = frozenset()


@pytest.fixture
def once(tables: Tables) -> Tables:
    """Only net1 has an example of `slow`; elsewhere its minutes are unlabelled."""
    labels = tables[1].filter((pl.col("condition") != "slow") | (pl.col("node") == "pcscf1"))
    return tables[0], labels


def augmented(once: Tables, seed: int = 1, but: frozenset[str] = ALL) -> tuple[TrainingSet, TrainingSet]:
    """(before, after)."""
    before = training_set(*once, SIP_CATALOGUE)
    templates = rare_faults(before, once[1], 1)
    return before, augment(before, once[1], templates, np.random.default_rng(seed), but)


def test_every_node_has_the_fault_and_nothing_else_changes(once: Tables) -> None:
    before, after = augmented(once)
    slow, slower_nodes = after.conditions.index("slow"), 0
    for old, new in zip(before.nodes, after.nodes, strict=True):
        assert (new.code == slow).any()
        was, now = old.series.values, np.asarray(new.series.values)
        other = ~np.array([np.array_equal(a, b, equal_nan=True) for a, b in zip(was, now, strict=True)])
        assert old.normal[other].all()
        assert not new.normal[other].any()
        assert 12 <= other.sum() <= 2 * 90
        # The example is six times slower. Copies have a third of that (in logarithms) to a little more, or do not show it.
        slower = np.median(now[other, DELAY]) / np.median(was[old.normal, DELAY])
        assert 0.9 < slower < 12
        slower_nodes += slower > 1.5
    assert slower_nodes >= 3


def test_excluded_networks_do_not_change(once: Tables) -> None:
    before, after = augmented(once, but=frozenset({"net0", "net3"}))
    same = [old is new for old, new in zip(before.nodes, after.nodes, strict=True)]
    assert same == [True, False, False, True, False]


def test_the_seed_determines_the_copies(once: Tables) -> None:
    values = [np.asarray(augmented(once, seed)[1].nodes[0].series.values) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_without_room_nothing_changes(once: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "_MINUTES_BEFORE", 400)
    before, after = augmented(once)
    for old, new in zip(before.nodes, after.nodes, strict=True):
        np.testing.assert_array_equal(old.series.values, np.asarray(new.series.values))
        np.testing.assert_array_equal(old.code, new.code)


def bare(
    once: Tables, departure: dict[int, float], level: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """(L, F) the copies on the first node of net0 of a fault with only this effect, without random variation."""
    for name, value in (
        ("_STRENGTH", (1, 1)),
        ("_DROP_CHANCES", (0, 0)),
        ("_OPERATION_FACTORS", (1, 1)),
        ("_STATISTIC_FACTORS", (1, 1)),
        ("_SWAP_FAILURES", 0),
    ):
        monkeypatch.setattr(synthesis, name, value)
    one, full = np.zeros((2, 30, len(SIP_CATALOGUE)), np.float32)
    full[:] = np.nan
    for place, value in departure.items():
        one[:, place] = value
    for place, value in level.items():
        full[:, place] = value
    before = training_set(*once, SIP_CATALOGUE)
    after = augment(before, once[1], [FaultTemplate("slow", one, full)], np.random.default_rng(3), ALL)
    old, new = before.nodes[0], after.nodes[0]
    return np.asarray(new.series.values)[old.normal & ~new.normal]


def test_a_fault_that_stops_all_traffic(once: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bare(once, {ATTEMPTS: -20}, {ATTEMPTS: 0}, monkeypatch)
    struck = found[:, ATTEMPTS] == 0
    assert struck.sum() >= 12
    # Without an attempt there is nothing to measure.
    assert np.isnan(found[struck][:, [DELAY, SHARE]]).all()


def test_shares_keep_to_one_and_are_drawn_by_chance(once: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bare(once, {SHARE: 0.5}, {SHARE: 0.5}, monkeypatch)
    struck = found[found[:, SHARE] > 0.2]
    assert np.nanmax(struck[:, SHARE]) <= 1
    events = struck[:, SHARE] * struck[:, ATTEMPTS]
    np.testing.assert_allclose(events, np.round(events), atol=1e-3)
    assert np.ptp(struck[:, SHARE]) > 0
    more = bare(once, {SHARE: 2.5}, {SHARE: 2.5}, monkeypatch)
    assert np.nanmax(more[:, SHARE]) > 1


@given(
    st.integers(0, 2**32 - 1), st.floats(-(2.0**100), 2.0**100, width=32), st.floats(-(2.0**100), 2.0**100, width=32)
)
def test_synthesised_minutes_have_possible_values(seed: int, departure: float, level: float) -> None:
    catalogue = Catalogue(
        "strange",
        1,
        (
            Feature("n", "1", "count", "n"),
            Feature("s", "1", "ratio", "n"),
            Feature("t", "s", "seconds", "n"),
            Feature("g", "1", "gauge"),
            Feature("free", "1", "ratio"),
        ),
    )
    rng = np.random.default_rng(seed)
    around = rng.choice(np.array([0, 1, 3e4, np.nan], np.float32), (80, 5))
    template = FaultTemplate("odd", np.full((20, 5), departure, np.float32), np.full((20, 5), level, np.float32))
    found = FaultSynthesizer(catalogue, FeatureKinds.from_catalogue(catalogue), rng).apply(
        around, slice(20, 40), template
    )
    assert found.shape == (20, 5)
    assert not np.isinf(found).any()
    assert np.nanmin(found[:, :3], initial=0) >= 0
    assert np.array_equal(found[:, 0], np.floor(found[:, 0]), equal_nan=True)


@given(st.data())
def test_overlay_array(data: st.DataObject) -> None:
    under = np.arange(60, dtype=np.float32).reshape(30, 2)
    over, expected = {}, under.copy()
    for first in data.draw(st.sets(st.integers(0, 29).map(lambda n: n - n % 5))):
        rows = np.full((data.draw(st.integers(1, 5)), 2), -first - 1, np.float32)
        rows = rows[: 30 - first]
        over[first], expected[first : first + len(rows)] = rows, rows
    found = OverlayArray(under, over)
    start, stop, step = data.draw(st.integers(-40, 40)), data.draw(st.integers(-40, 40)), data.draw(st.integers(1, 3))
    np.testing.assert_array_equal(found[start:stop:step], expected[start:stop:step])
    np.testing.assert_array_equal(np.asarray(found), expected)
    assert (len(found), found.shape) == (30, (30, 2))


@pytest.mark.usefixtures("short")
def test_training_on_one_example_recognises_the_fault_on_another_network(
    once: Tables, moved: Moved, tmp_path: Path
) -> None:
    known = once[0].filter(pl.col("network") != "net4"), once[1].filter(pl.col("node") != "pcscf4")
    report = train(*known, tmp_path / "m", TrainingConfig(epochs=5, augment_rare=1))
    assert report.augmented_faults == ("slow",)
    assert read_artifact(tmp_path / "m").manifest.training["retold"] == ["slow"]
    model = load_model(tmp_path / "m")
    vectors, code = moved(model, 1)
    unseen, truth = moved(model, 4)
    assert np.mean(nearest_centroid(unseen, centroids(vectors, code, 3)) == truth) > 0.9


@pytest.mark.usefixtures("short")
def test_templates_from_elsewhere_and_no_augmentation(once: Tables, tmp_path: Path) -> None:
    before = training_set(*once, SIP_CATALOGUE)
    templates = [replace(one, condition="strange") for one in rare_faults(before, once[1], 1)]
    report = train(*once, tmp_path / "m", TrainingConfig(epochs=1, templates=templates))
    assert report.conditions == ("normal", "errors", "slow", "strange")
    assert report.augmented_faults == ("strange",)
    plain = train(*once, tmp_path / "n", TrainingConfig(epochs=1))
    none = train(*once, tmp_path / "o", TrainingConfig(epochs=1, augment_rare=0))
    assert (plain.augmented_faults, none.augmented_faults) == ((), ())
    assert (
        read_artifact(tmp_path / "n").graphs
        == read_artifact(tmp_path / "o").graphs
        != read_artifact(tmp_path / "m").graphs
    )
    assert "retold" not in read_artifact(tmp_path / "n").manifest.training


def test_a_series_in_a_file_is_augmented_the_same(once: Tables) -> None:
    before = training_set(*once, SIP_CATALOGUE)
    templates = rare_faults(before, once[1], 1)
    lazy = training_set(
        [replace(one, values=OverlayArray(one.values, {})) for one in build_series(once[0], SIP_CATALOGUE.names)],  # type: ignore[arg-type]
        once[1],
        SIP_CATALOGUE,
    )
    first, second = (augment(one, once[1], templates, np.random.default_rng(1), ALL) for one in (before, lazy))
    for a, b in zip(first.nodes, second.nodes, strict=True):
        np.testing.assert_array_equal(np.asarray(a.series.values), np.asarray(b.series.values))
        np.testing.assert_array_equal(a.full_profile.centre, b.full_profile.centre)
