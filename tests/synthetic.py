"""Minutes made by hand: steady traffic of a few nodes, in which faults raise features of their own."""

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
from faultprint.embedding.population_baseline import population_baseline
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import LABELS
from faultprint.training.models.onnx_graph import pooled_graphs
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.units import MINUTE_US
from faultprint.windows.levels import SPANS, Kinds, levels
from faultprint.windows.normalise import CHANNELS
from faultprint.windows.profile import population, profile
from faultprint.windows.series import (
    series,
)

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
KINDS = Kinds.of(SIP_CATALOGUE)
SIGNS = {
    "register-timeouts": {"in.register_initial.timeout_share": 0.6, "in.register_initial.success_share": 0.1},
    "invite-errors": {"in.invite_originating.server_error_share": 0.7, "node.ser": 0.1},
    "bye-slow": {"in.bye.delay_median": 4.0, "in.bye.delay_p95": 9.0},
}
"""What each fault sets, in the features' own units."""

Fault = tuple[int, int, str]
"""First minute, first minute after it, name."""


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def minutes(
    node: str, number: int, faults: Sequence[Fault] = (), seed: int = 0, gaps: Sequence[int] = ()
) -> pl.DataFrame:
    """A MINUTES table of one node; its network is called as it is, without the digits after a dash."""
    rng = np.random.default_rng(seed)
    values = np.empty((number, len(SIP_CATALOGUE)), np.float32)
    values[:, KINDS.count] = rng.poisson(60, (number, int(KINDS.count.sum())))
    values[:, KINDS.ratio] = rng.normal(0.3, 0.02, (number, int(KINDS.ratio.sum())))
    values[:, KINDS.seconds] = np.exp(rng.normal(-2, 0.05, (number, int(KINDS.seconds.sum()))))
    values[:, KINDS.gauge] = rng.normal(1500, 20, (number, int(KINDS.gauge.sum())))
    for start, end, name in faults:
        for feature, value in SIGNS[name].items():
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
    """A LABELS table: the faults, and normal between them."""
    rows, last = [], 0
    for start, end, name in [*sorted(faults), (number, number, "")]:
        if start > last:
            rows.append((node, minute(last), minute(start), "normal", None))
        if name:
            rows.append((node, minute(start), minute(end), name, 0.5))
        last = end
    return pl.DataFrame(rows, schema=storage.schema(LABELS), orient="row")


def random_model(seed: int = 1) -> Model:
    """An untrained encoder: a random projection, which keeps far things far."""
    return Model(random_artefact(seed))


def random_artefact(seed: int = 1) -> ModelArtifact:
    """The same as it is saved."""
    torch.manual_seed(seed)
    network = PooledNetwork(CHANNELS * len(SIP_CATALOGUE), SPANS, 60, code=48).eval()
    one = series(minutes("model-1", 200, seed=99), SIP_CATALOGUE.names)[0]
    people = population([profile(levels(one, KINDS), KINDS, np.ones(200, np.bool_))], KINDS)
    record = {"networks": ["alpha", "beta"], "held_out": ["gamma"]}
    manifest = Manifest(
        "default", "pooled", SIP_CATALOGUE, MINUTE_US, 60, network.dimensions, SPANS, people, record, {}
    )
    artefact = ModelArtifact(manifest, pooled_graphs(network))
    met = population_baseline(Model(artefact), [(one, np.arange(141))], people)
    return replace(artefact, manifest=replace(manifest, stranger=met))


def told_reach(artefact: ModelArtifact, reach: float) -> ModelArtifact:
    """The artefact that knows how far from normal its normal windows lay, and nothing else of them."""
    known = {"levels": [0.99], "normal_distance": {"quantiles": [reach], "windows": 1}}
    return replace(artefact, manifest=replace(artefact.manifest, calibration=known))


LEARNT_FAULTS: list[Fault] = [(150, 180, "register-timeouts"), (300, 330, "invite-errors"), (450, 480, "bye-slow")]


def four_networks() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of four networks; the random model's record says that gamma was held out."""
    names = ["alpha-1", "beta-1", "delta-1", "gamma-1"]
    tables = [minutes(name, 560, LEARNT_FAULTS, seed=seed) for seed, name in enumerate(names)]
    return pl.concat(tables), pl.concat([labels(name, 560, LEARNT_FAULTS) for name in names])
