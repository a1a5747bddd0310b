"""The pretrained encoder: a small network that comes with Faultprint and is concatenated to the trained network.

A network that is trained on a dozen faults learns to separate these faults, and little about other faults. The pretrained
encoder has learned from simulated networks with hundreds of random faults (`faultprint_lab.simulate.faults.procedural`). So a
fault that is enrolled after the training is recognised better. `python -m benchmarks.pretrain` in lab/ trains it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from faultprint.features.catalogue import Catalogue
from faultprint.files import replacing
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.windows.normalisation import CHANNELS

SHIPPED: Final = Path(__file__).with_name("weights") / "general.npz"
SIZES: Final = {"dimensions": 24, "wide": 96, "code": 12, "head": 160}
WEIGHT: Final = 0.6
"""Factor on its vectors when they are concatenated to those of the trained network."""
_INPUT_KEY: Final = "of"
"""Array in the file with the digest of the input that the weights are for."""


def pretrained_network(catalogue: Catalogue, spans: Sequence[int], window: int) -> PooledNetwork | None:
    """The pretrained network, its vectors multiplied by WEIGHT; None if it was trained on other features, spans or windows."""
    with np.load(SHIPPED, allow_pickle=False) as arrays:
        if str(arrays[_INPUT_KEY]) != _input_digest(catalogue, spans, window):
            return None
        network = PooledNetwork(CHANNELS * len(catalogue), spans, window, **SIZES)
        names = network.state_dict()
        network.load_state_dict({name: torch.from_numpy(arrays[name].astype(np.float32)) for name in names})
    with torch.no_grad():
        for parameter in network.head_second.parameters():
            parameter.mul_(WEIGHT)
    return network.eval().requires_grad_(False)


def save(network: PooledNetwork, catalogue: Catalogue, path: Path) -> None:
    """Save the weights of a network of SIZES in half precision, as the file that `pretrained_network` reads."""
    arrays = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    arrays[_INPUT_KEY] = np.array(_input_digest(catalogue, network.spans, network.window))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _input_digest(catalogue: Catalogue, spans: Sequence[int], window: int) -> str:
    text = "\n".join([*catalogue.names, *(str(number) for number in (*spans, window))])
    return hashlib.sha256(text.encode()).hexdigest()
