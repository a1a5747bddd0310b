"""One model for all tests of the stage."""

from __future__ import annotations

import pytest
from tests.synthetic import random_model

from faultprint.embedding.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return random_model()
