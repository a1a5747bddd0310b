"""The networks: parameters as Keras counts them, and one bias a gate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from faultprint.embedding.pooling import pool
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import KerasLSTM, ReferenceLstm, count_parameters


def test_the_reference_lstm_has_the_published_number_of_parameters() -> None:
    assert count_parameters(ReferenceLstm(132)) == (3_692_610, 3_690_278)


def test_layer_by_layer() -> None:
    network = ReferenceLstm(132)
    assert count_parameters(network.norm_input) == (528, 264)
    assert count_parameters(network.lstm_1) == (1_320_960, 1_320_960)
    assert count_parameters(network.lstm_2) == (2_099_200, 2_099_200)
    assert count_parameters(network.norm_state) == count_parameters(network.norm_dense) == (2_048, 1_024)
    assert count_parameters(network.dense) == (262_656, 262_656)
    assert count_parameters(network.output) == (5_130, 5_130)
    assert count_parameters(network.norm_output) == (40, 20)


def test_the_second_bias_is_no_parameter_and_stays_zero() -> None:
    layer = KerasLSTM(3, 4)
    assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "kernel", "recurrent"]
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.ones(2, 5, 3)).sum().backward()
    optimiser.step()
    assert not layer.get_buffer("no_bias").any()
    assert "no_bias" not in layer.state_dict()


def test_the_lstm_is_torchs() -> None:
    ours, theirs = KerasLSTM(3, 4), nn.LSTM(3, 4, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.kernel)
        theirs.weight_hh_l0.copy_(ours.recurrent)
        theirs.bias_ih_l0.copy_(ours.bias)
        theirs.bias_hh_l0.zero_()
    x = torch.randn(2, 7, 3)
    assert torch.equal(ours(x), theirs(x)[0])
    assert ours.bias[4:8].eq(1).all()
    assert not ours.bias[:4].any()


def test_three_dimensions_lie_in_the_unit_cube() -> None:
    network = ReferenceLstm(132, 3, sigmoid=True)
    vectors = network(100 * torch.randn(4, 60, 132))
    assert vectors.shape == (4, 3)
    assert ((vectors >= 0) & (vectors <= 1)).all()


@pytest.mark.parametrize("end", [59, 70])
def test_a_window_sees_its_own_minutes_only(end: int) -> None:
    network = PooledNetwork(8, (1, 10), 60, 4).eval()
    codes = torch.randn(2, 80, 2, network.second.weight.shape[2])
    changed = codes.clone()
    changed[:, : end - 59] = 99
    changed[:, end + 1 :] = 99
    # A code over ten minutes reaches back nine; the window's first nine must not count either.
    changed[:, : end - 50, 1] = 99
    seen, ends = torch.ones(2, 80, dtype=torch.bool), range(end, end + 1)
    assert torch.equal(network.pool(codes, seen, ends), network.pool(changed, seen, ends))
    changed[:, end - 59, 0] = 99
    assert not torch.equal(network.pool(codes, seen, ends), network.pool(changed, seen, ends))


@pytest.mark.parametrize("ends", [range(59, 80, 3), range(5, 80, 7), range(79, 80)])
def test_pooling_is_that_of_the_shipped_model(ends: range) -> None:
    """Several windows of chunks at once, short histories and gaps included, against the code that runs in operation."""
    network = PooledNetwork(8, (1, 10), 60, 4).eval()
    codes = torch.randn(3, 80, 2, network.second.weight.shape[2])
    seen = torch.ones(3, 80, dtype=torch.bool)
    seen[1, 40:50] = False
    seen[2, :75] = False
    codes[1, 40:50] = torch.nan
    found = network.pool(codes, seen, ends)
    assert found.shape == (3, len(ends), 3 * 2 * network.second.weight.shape[2])
    for chunk in range(3):
        expected = pool(codes[chunk].numpy(), seen[chunk].numpy(), (1, 10), 60)[list(ends)]
        used = seen[chunk, list(ends)].numpy()
        assert np.allclose(found[chunk].numpy()[used], expected[used], atol=1e-5)
