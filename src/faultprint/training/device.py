"""The device that training runs on: the processor or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy.typing as npt
import torch
from torch import Tensor

from faultprint.errors import UsageError

DEVICES: Final = ("auto", "cpu", "cuda")


def select_device(name: str) -> torch.device:
    """The device with this name; "auto" is a GPU if torch finds one. Raises UsageError if it is not available."""
    if name not in DEVICES:
        raise UsageError(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise UsageError("torch finds no GPU on this machine; use --device cpu, or leave the option out.")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run torch on this device with this seed and one thread (small models are fastest so). Restores everything at the end."""
    threads = torch.get_num_threads()
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), device:
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def tensor(array: npt.NDArray[Any]) -> Tensor:
    """The array as a tensor on the default device (`torch.get_default_device`)."""
    return torch.from_numpy(array).to(torch.get_default_device())
