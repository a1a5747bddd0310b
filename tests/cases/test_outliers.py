"""A baseline out of traffic that is mostly normal: windows that are outliers are dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.synthetic import SIGNATURES, Fault, minutes, random_artifact, with_normal_distance

from faultprint.cases.baseline import remove_outliers
from faultprint.cases.thresholds import normal_radius
from faultprint.embedding.model import Model, WindowEmbeddings
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series, build_series

LENGTH = 600


COLUMNS = sorted({SIP_CATALOGUE.index(feature) for sign in SIGNATURES.values() for feature in sign})


class MeanFeatures(Model):
    """An encoder whose vectors are a window's means of the features that faults change; an untrained one shows more noise."""

    def embed(self, series: Series, profile: Profile, **which: Any) -> WindowEmbeddings:
        found = super().embed(series, profile, **which)
        own = np.nan_to_num(series.values[:, COLUMNS] - profile.centre[COLUMNS])
        total = np.concatenate([np.zeros((1, len(COLUMNS))), np.cumsum(own, axis=0)])
        first = np.maximum(found.last_minute - self.window + 1, 0)
        means = (total[found.last_minute + 1] - total[first]) / found.observed_minutes[:, None]
        return replace(found, vectors=means.astype(np.float32))


def traffic(faults: list[Fault], seed: int = 5, gaps: range = range(0)) -> Series:
    return build_series(minutes("beta-1", LENGTH, faults, seed=seed, gaps=gaps), SIP_CATALOGUE.names)[0]


@pytest.fixture(scope="module")
def measured() -> Model:
    """The model with the distance that windows of normal traffic keep to."""
    artefact, one = random_artifact(), traffic([], seed=4)
    plain = MeanFeatures(artefact)
    vectors, _ = plain.embed_within(one, one.observed, plain.profile(one))
    # Training measures this under the profile of an hour, where windows lie further from normal than under ten hours.
    far = 2 * float(np.quantile(np.linalg.norm(vectors - vectors.mean(axis=0), axis=1), 0.99))
    return MeanFeatures(with_normal_distance(artefact, far))


@pytest.mark.parametrize("fault", SIGNATURES)
def test_minutes_of_faults_are_dropped_and_most_others_are_kept(measured: Model, fault: str) -> None:
    one = traffic([(150, 210, fault), (400, 460, fault)])
    left = remove_outliers(one, one.observed, measured)
    assert not left[150:210].any() and not left[400:460].any()
    # Minutes that share no window with a fault.
    assert left[:90].all() and left[270:340].all() and left[520:].all()


def test_the_baseline_without_outliers_is_that_of_normal_traffic(measured: Model) -> None:
    clean, one = traffic([]), traffic([(150, 210, "bye-slow"), (300, 360, "invite-errors")])
    wanted = measured.baseline(clean)
    found = measured.baseline(one, remove_outliers(one, one.observed, measured))
    taken = measured.baseline(one)

    def off(mean: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(np.linalg.norm(mean - wanted.mean))

    assert off(found.mean) < 0.5 * off(taken.mean)


def test_only_the_given_minutes_are_used(measured: Model) -> None:
    one = traffic([(0, 250, "bye-slow")])
    chosen = np.zeros(LENGTH, np.bool_)
    chosen[300:500] = True
    left = remove_outliers(one, chosen, measured)
    assert not left[:300].any() and not left[500:].any() and left[300:500].mean() > 0.5


@settings(max_examples=25)
@example(faults=[], gap=LENGTH - 100, length=100, count=30)
@given(
    faults=st.lists(
        st.tuples(st.integers(0, 560), st.integers(1, 120), st.sampled_from(sorted(SIGNATURES))),
        max_size=6,
        unique=True,
    ),
    gap=st.integers(1, 500),
    length=st.integers(0, 100),
    count=st.integers(30, 300),
)
def test_enough_minutes_remain_for_a_baseline(
    measured: Model, faults: list[Fault], gap: int, length: int, count: int
) -> None:
    one = traffic(
        [(start, min(start + more, LENGTH), name) for start, more, name in faults], gaps=range(gap, gap + length)
    )
    chosen = np.zeros(len(one), np.bool_)  # a gap that reaches the end leaves a shorter series
    chosen[np.flatnonzero(one.observed)[:count]] = True
    left = remove_outliers(one, chosen, measured)
    assert not (left & ~chosen).any()
    assert left.sum() >= min(60, chosen.sum())
    measured.baseline(one, left)


def test_outliers_need_a_measured_model_and_enough_minutes(model: Model, measured: Model) -> None:
    one = traffic([])
    assert normal_radius(measured) > 0
    with pytest.raises(ModelError, match="does not tell how far from normal"):
        remove_outliers(one, one.observed, model)
    few = np.zeros(LENGTH, np.bool_)
    few[:20] = True
    for chosen in (few, np.zeros(LENGTH, np.bool_)):
        with pytest.raises(UsageError, match="too few for a profile"):
            remove_outliers(one, chosen, measured)
