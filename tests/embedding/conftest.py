"""Untrained networks in real model artifacts: shapes, arithmetic and files need no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from faultprint.embedding.model_file import Manifest, ModelArtifact, write_artifact
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.models.onnx_graph import pooled_graphs, reference_graphs
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import ReferenceLstm
from faultprint.units import MINUTE_US
from faultprint.windows.levels import SPANS, FeatureKinds, compute_levels
from faultprint.windows.normalisation import CHANNELS
from faultprint.windows.profile import build_profile, population_profile
from faultprint.windows.series import Series

F = len(SIP_CATALOGUE)
KINDS = FeatureKinds.from_catalogue(SIP_CATALOGUE)


def random_traffic(minutes: int, seed: int = 1, gap: slice | None = None) -> Series:
    """Random minutes with missing values, and a gap on request."""
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
def recurrent_network() -> ReferenceLstm:
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
    all_levels = compute_levels(random_traffic(200, 9), KINDS)
    population = population_profile([build_profile(all_levels, KINDS, np.ones(200, dtype=np.bool_))], KINDS)
    manifest = Manifest(
        "default", "pooled", SIP_CATALOGUE, MINUTE_US, 60, pooled_network.dimensions, SPANS, population, {"seed": 1}, {}
    )
    return ModelArtifact(manifest, pooled_graphs(pooled_network))


@pytest.fixture(scope="session")
def recurrent(recurrent_network: ReferenceLstm) -> ModelArtifact:
    manifest = Manifest(
        "reference-lstm",
        "recurrent",
        SIP_CATALOGUE,
        MINUTE_US,
        60,
        recurrent_network.dimensions,
        (),
        None,
        {"seed": 1},
        {},
    )
    return ModelArtifact(manifest, reference_graphs(recurrent_network))


@pytest.fixture
def saved(pooled: ModelArtifact, tmp_path: Path) -> Path:
    path = tmp_path / "model.faultprint"
    write_artifact(pooled, path)
    return path
