"""Replacement layers keep the parameters, and their exported graphs give the same results."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.networks.layers import (
    SigmoidLinear,
    UnitLinear,
    batch_norm,
    layer_norm,
    linear,
)
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import ReferenceLstm


def network() -> PooledNetwork:
    torch.manual_seed(1)
    return PooledNetwork(8, (1, 10), 60, 4)


def swapped(kind: type[nn.Linear] = nn.Linear, *, batch_normed: bool = False) -> PooledNetwork:
    found = network()
    found.head_second = linear(kind, found.head_second)
    if batch_normed:
        found.norm, found.head_norm = batch_norm(found.norm), batch_norm(found.head_norm)  # type: ignore[assignment]
        for _ in range(3):  # statistics other than those that it begins with
            found.head(3 * torch.randn(50, 3 * found.encode(torch.randn(50, 16) + 1).flatten(1).shape[1]))
    return found.eval()


@pytest.mark.parametrize(
    "found", [swapped(SigmoidLinear), swapped(UnitLinear), swapped(batch_normed=True)], ids=["sigmoid", "unit", "batch"]
)
def test_the_graphs_do_what_the_network_does(found: PooledNetwork) -> None:
    graphs = {name: onnxruntime.InferenceSession(graph) for name, graph in pooled_graphs(found).items()}
    minutes = torch.randn(20, 16)
    with torch.no_grad():
        codes = found.encode(minutes).flatten(1)
        pooled = torch.randn(20, 3 * codes.shape[1])
        vectors = found.head(pooled)
    assert np.allclose(graphs["minute.onnx"].run(None, {"x": minutes.numpy()})[0], codes, atol=1e-5)
    assert np.allclose(graphs["head.onnx"].run(None, {"x": pooled.numpy()})[0], vectors, atol=1e-5)


def test_outputs_are_bounded() -> None:
    pooled = torch.randn(20, 3 * 2 * network().code)
    inside = swapped(SigmoidLinear).head(pooled)
    assert ((inside > 0) & (inside < 1)).all()
    assert swapped(UnitLinear).head(pooled).norm(dim=1).tolist() == pytest.approx([1.0] * 20)


def test_parameters_stay_the_same_objects() -> None:
    before = network()
    names = {name: id(parameter) for name, parameter in before.named_parameters()}
    before.head_second = linear(UnitLinear, before.head_second)
    before.norm = batch_norm(before.norm)  # type: ignore[assignment]
    assert {name: id(parameter) for name, parameter in before.named_parameters()} == names


def test_with_layer_norm_a_window_does_not_depend_on_its_batch() -> None:
    found, windows = ReferenceLstm(5, hidden=8).train(), torch.randn(6, 10, 5)
    assert not torch.allclose(found(windows)[:2], found(windows[:2]), atol=1e-3)
    for name in ("norm_input", "norm_state", "norm_dense", "norm_output"):
        setattr(found, name, layer_norm(getattr(found, name)))
    assert torch.allclose(found(windows)[:2], found(windows[:2]), atol=1e-6)
