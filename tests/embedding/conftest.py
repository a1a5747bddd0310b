"""Untrained networks in real artefacts: shapes, arithmetic and files need no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from faultprint.embedding.model_file import Manifest, ModelArtifact, save
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.models.onnx_graph import pooled_graphs, reference_graphs
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import ReferenceLstm
from faultprint.units import MINUTE_US
from faultprint.windows.levels import SPANS, Kinds, levels
from faultprint.windows.normalise import CHANNELS
from faultprint.windows.profile import population, profile
from faultprint.windows.series import (
    Series,
)

F = len(SIP_CATALOGUE)
KINDS = Kinds.of(SIP_CATALOGUE)


def random_traffic(minutes: int, seed: int = 1, gap: slice | None = None) -> Series:
    """Random minutes with missing values, and a gap if wanted."""
    rng = np.random.default_rng(seed)
    values = rng.random((minutes, F)).astype(np.float32)
    values[:, KINDS.count] = rng.poisson(20, (minutes, int(KINDS.count.sum())))
    values[rng.random((minutes, F)) < 0.05] = np.nan
    values[:, KINDS.count] = np.nan_to_num(values[:, KINDS.count])
    observed = np.ones(minutes, dtype=np.bool_)
    if gap is not None:
        observed[gap], values[gap] = False, np.nan
    return Series("n1", "net", 0, MINUTE_US, SIP_CATALOGUE.names, values, observed)


@pytest.fixture(scope="session")
def traffic() -> Callable[..., Series]:
    """Makes random minutes: traffic(minutes, seed=1, gap=None)."""
    return random_traffic


@pytest.fixture(scope="session")
def pooled_network() -> PooledNetwork:
    torch.manual_seed(1)
    return PooledNetwork(CHANNELS * F, SPANS, 60).eval()


@pytest.fixture(scope="session")
def posts_network() -> ReferenceLstm:
    torch.manual_seed(1)
    network = ReferenceLstm(F)
    with torch.no_grad():
        for norm in (network.norm_input, network.norm_state, network.norm_dense, network.norm_output):
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture(scope="session")
def pooled(pooled_network: PooledNetwork) -> ModelArtifact:
    every = levels(random_traffic(200, 9), KINDS)
    people = population([profile(every, KINDS, np.ones(200, dtype=np.bool_))], KINDS)
    manifest = Manifest(
        "default", "pooled", SIP_CATALOGUE, MINUTE_US, 60, pooled_network.dimensions, SPANS, people, {"seed": 1}, {}
    )
    return ModelArtifact(manifest, pooled_graphs(pooled_network))


@pytest.fixture(scope="session")
def posts(posts_network: ReferenceLstm) -> ModelArtifact:
    manifest = Manifest(
        "posts", "recurrent", SIP_CATALOGUE, MINUTE_US, 60, posts_network.dimensions, (), None, {"seed": 1}, {}
    )
    return ModelArtifact(manifest, reference_graphs(posts_network))


@pytest.fixture
def saved(pooled: ModelArtifact, tmp_path: Path) -> Path:
    path = tmp_path / "model.faultprint"
    save(pooled, path)
    return path
