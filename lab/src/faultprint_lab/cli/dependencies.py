"""Packages that training and the comparison systems need: a missing one ends a command in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from faultprint.errors import UsageError

TRAINING_PACKAGES: Final = ("torch", "onnx", "lightgbm", "sklearn")
"""Import names of the packages in the extra `faultprint[train]`."""


@contextmanager
def training_packages() -> Iterator[None]:
    """Raises UsageError where the code within imports one of TRAINING_PACKAGES, and it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAINING_PACKAGES:
            raise
        raise UsageError(
            f"This command needs the package {package!r}, which is not installed; run pip install 'faultprint[train]'."
        ) from error
