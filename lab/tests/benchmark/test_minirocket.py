from __future__ import annotations

import numpy as np
import pytest

from faultprint_lab.benchmark.competitors.minirocket import BIASES, KERNELS, LENGTH, MiniRocket


def test_kernels_are_those_of_the_paper() -> None:
    assert KERNELS.shape == (84, LENGTH)
    assert (KERNELS.sum(axis=1) == 0).all()
    assert len({tuple(row) for row in KERNELS}) == 84


def test_features_equal_those_of_single_windows() -> None:
    rng = np.random.default_rng(1)
    minutes = rng.normal(size=(70, 5)).astype(np.float32)
    rocket = MiniRocket.fitted([(minutes, np.arange(29, 70))], 30, rng)
    ends = np.array([29, 41, 69])
    found = rocket.features(minutes, ends)
    assert found.shape == (3, len(rocket.dilations) * 84 * BIASES)
    for row, end in enumerate(ends):
        window = minutes[end - 29 : end + 1]
        for pair in (0, 100, 83, len(rocket.channels) - 1):
            dilation, kernel = rocket.dilations[pair // 84], KERNELS[pair % 84]
            mixed = window @ rocket.channels[pair]
            span = (LENGTH - 1) * dilation
            values = [(kernel * mixed[t - span : t + 1 : dilation]).sum() for t in range(span, 30)]
            for index in range(BIASES):
                column = (pair // 84) * 84 * BIASES + index * 84 + pair % 84
                share = np.mean([value > rocket.bias[pair, index] for value in values])
                assert found[row, column] == pytest.approx(share, abs=1e-6)


def test_about_half_of_the_values_are_above_the_bias() -> None:
    rng = np.random.default_rng(2)
    minutes = rng.normal(size=(300, 4)).astype(np.float32)
    rocket = MiniRocket.fitted([(minutes, np.arange(59, 300))], 60, rng)
    mean = rocket.features(minutes, np.arange(59, 300)).mean()
    assert 0.3 < mean < 0.7
    assert max(rocket.dilations) * (LENGTH - 1) < 60
    assert rocket.channels.sum(axis=1).min() >= 1 and rocket.channels.sum(axis=1).max() <= 9
