"""Synthetic minutes: steady traffic of a few nodes, in which each fault changes its own features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import torch

from faultprint import storage
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import LABELS
from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.models.population_baseline import compute_population_baseline
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.units import MINUTE_US
from faultprint.windows.levels import SPANS, FeatureKinds, compute_levels
from faultprint.windows.normalisation import CHANNELS
from faultprint.windows.profile import build_profile, population_profile
from faultprint.windows.series import build_series

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
KINDS = FeatureKinds.from_catalogue(SIP_CATALOGUE)
SIGNATURES = {
    "register-timeouts": {"in.register_initial.timeout_share": 0.6, "in.register_initial.success_share": 0.1},
    "invite-errors": {"in.invite_originating.server_error_share": 0.7, "node.ser": 0.1},
    "bye-slow": {"in.bye.delay_median": 4.0, "in.bye.delay_p95": 9.0},
}
"""The values that each fault sets, in the units of the features."""

Fault = tuple[int, int, str]
"""First minute, first minute after the fault, name."""


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def minutes(
    node: str, number: int, faults: Sequence[Fault] = (), seed: int = 0, gaps: Sequence[int] = ()
) -> pl.DataFrame:
    """A MINUTES table of one node. Its network has the node's name up to the dash."""
    rng = np.random.default_rng(seed)
    values = np.empty((number, len(SIP_CATALOGUE)), np.float32)
    values[:, KINDS.count] = rng.poisson(60, (number, int(KINDS.count.sum())))
    values[:, KINDS.ratio] = rng.normal(0.3, 0.02, (number, int(KINDS.ratio.sum())))
    values[:, KINDS.seconds] = np.exp(rng.normal(-2, 0.05, (number, int(KINDS.seconds.sum()))))
    values[:, KINDS.gauge] = rng.normal(1500, 20, (number, int(KINDS.gauge.sum())))
    for start, end, name in faults:
        for feature, value in SIGNATURES[name].items():
            values[start:end, SIP_CATALOGUE.index(feature)] = value
    frame = pl.DataFrame(
        {
            "node": [node] * number,
            "network": [node.split("-")[0]] * number,
            "minute": [minute(index) for index in range(number)],
            "observed": np.ones(number, np.float32),
            **{name: values[:, index] for index, name in enumerate(SIP_CATALOGUE.names)},
        },
        schema_overrides={"minute": pl.Datetime("us", "UTC")},
    )
    return frame[[index for index in range(number) if index not in {*gaps}]]


def labels(node: str, number: int, faults: Sequence[Fault]) -> pl.DataFrame:
    """A LABELS table: the faults, with normal traffic between them."""
    rows, last = [], 0
    for start, end, name in [*sorted(faults), (number, number, "")]:
        if start > last:
            rows.append((node, minute(last), minute(start), "normal", None))
        if name:
            rows.append((node, minute(start), minute(end), name, 0.5))
        last = end
    return pl.DataFrame(rows, schema=storage.schema(LABELS), orient="row")


def random_model(seed: int = 1) -> Model:
    """An untrained encoder: a random projection, which preserves large distances."""
    return Model(random_artifact(seed))


def random_artifact(seed: int = 1) -> ModelArtifact:
    """The artifact of `random_model`."""
    torch.manual_seed(seed)
    network = PooledNetwork(CHANNELS * len(SIP_CATALOGUE), SPANS, 60, code=48).eval()
    node = build_series(minutes("model-1", 200, seed=99), SIP_CATALOGUE.names)[0]
    population = population_profile([build_profile(compute_levels(node, KINDS), KINDS, np.ones(200, np.bool_))], KINDS)
    record = {"networks": ["alpha", "beta"], "held_out": ["gamma"]}
    manifest = Manifest(
        "default", "pooled", SIP_CATALOGUE, MINUTE_US, 60, network.dimensions, SPANS, population, record, {}
    )
    artifact = ModelArtifact(manifest, pooled_graphs(network))
    baseline = compute_population_baseline(Model(artifact), [(node, np.arange(141))], population)
    return replace(artifact, manifest=replace(manifest, population_baseline=baseline))


def with_normal_distance(artifact: ModelArtifact, distance: float) -> ModelArtifact:
    """The artifact, calibrated with this distance of normal windows from the baseline, and nothing else."""
    calibration = {"levels": [0.99], "normal_distance": {"quantiles": [distance], "windows": 1}}
    return replace(artifact, manifest=replace(artifact.manifest, calibration=calibration))


TRAINING_FAULTS: list[Fault] = [(150, 180, "register-timeouts"), (300, 330, "invite-errors"), (450, 480, "bye-slow")]


def four_networks() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of four networks. The random model's training record names gamma as held out."""
    names = ["alpha-1", "beta-1", "delta-1", "gamma-1"]
    tables = [minutes(name, 560, TRAINING_FAULTS, seed=seed) for seed, name in enumerate(names)]
    return pl.concat(tables), pl.concat([labels(name, 560, TRAINING_FAULTS) for name in names])
