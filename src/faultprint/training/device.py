"""What a training computes on: the processor, or a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy.typing as npt
import torch
from torch import Tensor

from faultprint.errors import UsageError

DEVICES: Final = ("auto", "cpu", "cuda")


def device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where torch finds one. Raises UsageError for one that is not there."""
    if name not in DEVICES:
        raise UsageError(f"There is no device {name!r}; take one of {', '.join(DEVICES)}.")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UsageError("torch finds no GPU here; train with --device cpu, or leave the option out.")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def tensor(array: npt.NDArray[Any]) -> Tensor:
    """The array where torch computes at present (`torch.get_default_device`)."""
    return torch.from_numpy(array).to(torch.get_default_device())


@contextmanager
def seeded(seed: int, where: torch.device) -> Iterator[None]:
    """One torch thread (small models run fastest so), a seeded torch that computes there; all given back afterwards."""
    threads = torch.get_num_threads()
    devices = [torch.cuda.current_device()] if where.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), where:
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
