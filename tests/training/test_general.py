"""The general eye stands beside what was learnt, and changes nothing of it."""

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
from faultprint.windows.normalise import CHANNELS

INPUTS = CHANNELS * len(SIP_CATALOGUE)


def network(**sizes: int) -> PooledNetwork:
    torch.manual_seed(3)
    return PooledNetwork(INPUTS, SPANS, 60, **sizes).eval()


def test_two_networks_side_by_side_say_what_each_says_alone() -> None:
    one, other = network(), network(**SIZES)
    both = ConcatEncoder([one, other])
    minutes, observed = torch.randn(80, INPUTS * len(SPANS)), torch.ones(1, 80, dtype=torch.bool)
    ends = range(59, 80, 7)
    alone = [
        each.head(each.pool(each.encode(minutes)[None], observed, ends).flatten(0, 1)).detach() for each in (one, other)
    ]
    pooled = both.pool(both.encode(minutes)[None], observed, ends).flatten(0, 1)
    assert torch.allclose(both.head(pooled), torch.cat(alone, dim=1), atol=1e-6)

    graphs = {name: onnxruntime.InferenceSession(graph) for name, graph in pooled_graphs(one, other).items()}
    codes = graphs["minute.onnx"].run(None, {"x": minutes.numpy()})[0].reshape(80, len(SPANS), -1)
    assert np.allclose(codes, both.encode(minutes).detach().numpy(), atol=1e-5)
    vectors = graphs["head.onnx"].run(None, {"x": pooled.detach().numpy()})[0]
    assert np.allclose(vectors, torch.cat(alone, dim=1).numpy(), atol=1e-5)


def test_what_is_kept_comes_back_weighed_and_in_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = network(**SIZES)
    save(one, SIP_CATALOGUE, tmp_path / "general.npz")
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "general.npz")
    found = pretrained_network(SIP_CATALOGUE, SPANS, 60)
    assert found is not None
    pooled = torch.randn(9, 3 * len(SPANS) * SIZES["code"])
    assert torch.allclose(found.head(pooled), WEIGHT * one.head(pooled), atol=0.02)
    assert not any(parameter.requires_grad for parameter in found.parameters())
    again = tmp_path / "again.npz"
    save(one, SIP_CATALOGUE, again)
    assert again.read_bytes() == (tmp_path / "general.npz").read_bytes()


def test_minutes_described_otherwise_are_not_for_it() -> None:
    fewer = replace(SIP_CATALOGUE, features=SIP_CATALOGUE.features[:-1])
    assert pretrained_network(SIP_CATALOGUE, SPANS, 60) is not None
    assert pretrained_network(fewer, SPANS, 60) is None
    assert pretrained_network(SIP_CATALOGUE, SPANS, 30) is None


def test_training_leaves_it_as_it_is(small: TrainingSet) -> None:
    task = PooledTask(small, small, np.random.default_rng(1))
    eye = task.shipped.each[1]
    before = [parameter.clone() for parameter in eye.parameters()]
    task.step(0.5)
    assert all(torch.equal(a, b) for a, b in zip(before, task.shipped.each[1].parameters(), strict=True))
    assert task.dimensions == task.network.dimensions + eye.dimensions
    assert not {*map(id, eye.parameters())} & {id(p) for module in task.modules.values() for p in module.parameters()}
