"""The model and the small world of the cases' tests."""

from __future__ import annotations

import polars as pl
import pytest

from faultprint.embedding.model import Model

from ..cases.town import labels, minutes, random_model

FAULTS = [(150, 180, "register-timeouts"), (300, 330, "invite-errors"), (450, 480, "bye-slow")]


@pytest.fixture(scope="session")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="session")
def learnt() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of four networks; the model's record says that gamma was held out."""
    names = ["alpha-1", "beta-1", "delta-1", "gamma-1"]
    tables = [minutes(name, 560, FAULTS, seed=seed) for seed, name in enumerate(names)]
    return pl.concat(tables), pl.concat([labels(name, 560, FAULTS) for name in names])


@pytest.fixture(scope="session")
def met() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of a network that nobody learnt from."""
    faults = [(200, 240, "bye-slow"), (360, 380, "register-timeouts")]
    return minutes("omega-1", 520, faults, seed=9), labels("omega-1", 520, faults)
