"""The model and the small networks of these tests."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import four_networks, labels, minutes, random_model

from faultprint.embedding.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="session")
def known_networks() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of four networks; the model's record says that gamma was held out."""
    return four_networks()


@pytest.fixture(scope="session")
def new_network() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of a network that no system was trained on."""
    faults = [(200, 240, "bye-slow"), (360, 380, "register-timeouts")]
    return minutes("omega-1", 520, faults, seed=9), labels("omega-1", 520, faults)
