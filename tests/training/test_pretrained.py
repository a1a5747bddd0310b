"""The pretrained encoder is concatenated to the trained network and does not change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.models import pretrained as module
from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.pretrained import SIZES, WEIGHT, pretrained_network, save
from faultprint.training.networks.concat import ConcatEncoder
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.windows.levels import SPANS
from faultprint.windows.normalisation import CHANNELS

INPUTS = CHANNELS * len(SIP_CATALOGUE)


def network(**sizes: int) -> PooledNetwork:
    torch.manual_seed(3)
    return PooledNetwork(INPUTS, SPANS, 60, **sizes).eval()


def test_concatenated_vectors_are_those_of_each_network() -> None:
    first, second = network(), network(**SIZES)
    both = ConcatEncoder([first, second])
    minutes, observed = torch.randn(80, INPUTS * len(SPANS)), torch.ones(1, 80, dtype=torch.bool)
    ends = range(59, 80, 7)
    alone = [
        each.head(each.pool(each.encode(minutes)[None], observed, ends).flatten(0, 1)).detach()
        for each in (first, second)
    ]
    pooled = both.pool(both.encode(minutes)[None], observed, ends).flatten(0, 1)
    assert torch.allclose(both.head(pooled), torch.cat(alone, dim=1), atol=1e-6)

    graphs = {name: onnxruntime.InferenceSession(graph) for name, graph in pooled_graphs(first, second).items()}
    codes = graphs["minute.onnx"].run(None, {"x": minutes.numpy()})[0].reshape(80, len(SPANS), -1)
    assert np.allclose(codes, both.encode(minutes).detach().numpy(), atol=1e-5)
    vectors = graphs["head.onnx"].run(None, {"x": pooled.detach().numpy()})[0]
    assert np.allclose(vectors, torch.cat(alone, dim=1).numpy(), atol=1e-5)


def test_saved_weights_are_loaded_with_the_factor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = network(**SIZES)
    save(original, SIP_CATALOGUE, tmp_path / "general.npz")
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "general.npz")
    loaded = pretrained_network(SIP_CATALOGUE, SPANS, 60)
    assert loaded is not None
    pooled = torch.randn(9, 3 * len(SPANS) * SIZES["code"])
    assert torch.allclose(loaded.head(pooled), WEIGHT * original.head(pooled), atol=0.02)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    again = tmp_path / "again.npz"
    save(original, SIP_CATALOGUE, again)
    assert again.read_bytes() == (tmp_path / "general.npz").read_bytes()


def test_it_is_not_used_for_other_inputs() -> None:
    fewer = replace(SIP_CATALOGUE, features=SIP_CATALOGUE.features[:-1])
    assert pretrained_network(SIP_CATALOGUE, SPANS, 60) is not None
    assert pretrained_network(fewer, SPANS, 60) is None
    assert pretrained_network(SIP_CATALOGUE, SPANS, 30) is None


def test_training_does_not_change_it(small: TrainingSet) -> None:
    task = PooledTask(small, small, np.random.default_rng(1))
    pretrained = task.exported_network.parts[1]
    before = [parameter.clone() for parameter in pretrained.parameters()]
    task.step(0.5)
    assert all(torch.equal(a, b) for a, b in zip(before, task.exported_network.parts[1].parameters(), strict=True))
    assert task.dimensions == task.network.dimensions + pretrained.dimensions
    assert not {*map(id, pretrained.parameters())} & {
        id(p) for module in task.modules.values() for p in module.parameters()
    }
