"""One model for all tests of the stage."""

from __future__ import annotations

import pytest

from faultprint.embedding.model import Model

from .town import random_model


@pytest.fixture(scope="session")
def model() -> Model:
    return random_model()
