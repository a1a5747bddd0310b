from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.synthetic import minutes

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint_lab.benchmark.data.corruption import (
    CORRUPTIONS,
    DUPLICATED_SHARE,
    GAP_SHARE,
    MAX_SHIFT,
)

COUNTS = [feature.name for feature in SIP_CATALOGUE.features if feature.kind == "count"]
OTHERS = [feature.name for feature in SIP_CATALOGUE.features if feature.kind != "count"]


@pytest.fixture(scope="module")
def whole() -> pl.DataFrame:
    return pl.concat([minutes("a-1", 3000, seed=1), minutes("b-1", 3000, seed=2)])


def corrupted(name: str, frame: pl.DataFrame, seed: int = 1) -> pl.DataFrame:
    return CORRUPTIONS[name](frame, SIP_CATALOGUE, np.random.default_rng(seed))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_seed_decides_the_damage_and_the_original_is_unchanged(name: str, whole: pl.DataFrame) -> None:
    before = whole.clone()
    assert_frame_equal(corrupted(name, whole), corrupted(name, whole))
    assert not corrupted(name, whole).equals(corrupted(name, whole, seed=2))
    assert_frame_equal(whole, before)
    assert corrupted(name, whole).schema == whole.schema


def test_gaps_remove_their_share_and_change_nothing_else(whole: pl.DataFrame) -> None:
    remaining = corrupted("gaps", whole)
    assert 1 - len(remaining) / len(whole) == pytest.approx(GAP_SHARE, abs=0.03)
    assert_frame_equal(remaining, whole.join(remaining.select("node", "minute"), on=["node", "minute"], how="semi"))


def test_duplicated_minutes_have_twice_the_counts_and_the_same_shares(whole: pl.DataFrame) -> None:
    twice = corrupted("duplicated", whole)
    factor = (twice[COUNTS[0]] / whole[COUNTS[0]]).to_numpy()
    assert set(factor.round(6)) == {1.0, 2.0}
    assert (factor == 2).mean() == pytest.approx(DUPLICATED_SHARE, abs=0.06)
    assert_frame_equal(twice.select(OTHERS), whole.select(OTHERS))


def test_a_shifted_minute_is_between_itself_and_the_one_before() -> None:
    steps = minutes("a-1", 200).with_columns(pl.int_range(200).cast(pl.Float32).alias(COUNTS[0]))
    holes = steps.with_columns(
        pl.when(pl.int_range(200) == 50).then(None).otherwise(pl.col(OTHERS[0])).alias(OTHERS[0])
    )
    late = corrupted("jitter", holes)
    share = (holes[COUNTS[0]] - late[COUNTS[0]])[1:]
    assert share.min() >= 0 and 0.2 < share.max() <= MAX_SHIFT
    assert late[COUNTS[0]][0] == 0
    assert late[OTHERS[0]].null_count() == 1
    assert late[OTHERS[0]][51] == holes[OTHERS[0]][51]
