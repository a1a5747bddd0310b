from __future__ import annotations

import numpy as np
import pytest

from faultprint_lab.benchmark.competitors.dtw import dtw_distances


def textbook(a: np.ndarray, b: np.ndarray, band: int) -> float:
    size = len(a)
    total = np.full((size + 1, size + 1), np.inf)
    total[0, 0] = 0
    for i in range(size):
        for j in range(max(0, i - band), min(size, i + band + 1)):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = before + ((a[i] - b[j]) ** 2).sum()
    return float(np.sqrt(total[size, size]))


@pytest.mark.parametrize("band", [0, 2, 11])
def test_as_by_the_textbook(band: int) -> None:
    rng = np.random.default_rng(band)
    minutes = rng.normal(size=(40, 3)).astype(np.float32)
    references = rng.normal(size=(2, 12, 3)).astype(np.float32)
    ends = np.array([3, 11, 20, 39])
    found = dtw_distances(minutes, ends, references, band)
    padded = np.concatenate([np.zeros((11, 3)), minutes])
    expected = [[textbook(padded[end : end + 12], reference, band) for reference in references] for end in ends]
    assert found == pytest.approx(np.array(expected), rel=1e-4)


def test_a_delayed_copy_is_nearer_than_another_series() -> None:
    rng = np.random.default_rng(1)
    shape = rng.normal(size=(30, 4)).astype(np.float32)
    late = np.roll(shape, 3, axis=0)
    other = rng.normal(size=(30, 4)).astype(np.float32)
    found = dtw_distances(shape, np.array([29]), np.stack([late, other]))
    assert found[0, 0] < 0.8 * found[0, 1]
