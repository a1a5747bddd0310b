"""The recipe of the default model: what is committed was made by it, and each step does what it says."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faultprint import pretrained
from faultprint_lab.pages import model_card
from faultprint_lab.pretrained.recipe import RECIPE
from faultprint_lab.pretrained.references import representative_indices
from faultprint_lab.simulate.faults.table import FAULTS


def test_the_card_is_of_this_recipe_and_knows_every_fault() -> None:
    card = json.loads(pretrained.CARD.read_text(encoding="utf-8"))
    assert card["recipe"] == RECIPE.as_dict()
    assert card["references"].keys() == FAULTS.keys()
    assert all(name in model_card.page() for name in FAULTS)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.floats(-5, 5)), st.integers(1, 6)
)
def test_representatives_are_different_rows_and_each_one_helps(vectors: np.ndarray, most: int) -> None:
    chosen = representative_indices(vectors, most)
    assert len(chosen) == len(set(chosen)) == min(most, len(vectors))
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert distance[chosen[0]].sum() <= distance.sum(axis=1).min() + 1e-9
    costs = [distance[chosen[:count]].min(axis=0).sum() for count in range(1, len(chosen) + 1)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(costs))


def test_two_groups_give_one_representative_each() -> None:
    vectors = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    assert {index // 3 for index in representative_indices(vectors, 2)} == {0, 1}
