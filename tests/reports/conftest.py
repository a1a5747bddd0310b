"""The model and the small networks of these tests."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import four_networks, random_model

from faultprint.embedding.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="session")
def learnt() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minutes and labels of four networks; the model's record says that gamma was held out."""
    return four_networks()
