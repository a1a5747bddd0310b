"""The general eye: a small network that has learnt to tell apart faults that nobody has named, and is shipped as it is.

A network that learns a dozen faults learns to look at what tells these apart, and little of what another fault may do. This one
has learnt on simulated networks with hundreds of faults drawn by chance (`simulate.troubles.strange`), none of which a library ever
holds: `python -m benchmarks.pretrain` makes it. Its vector stands beside that of the network that is trained.
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
from faultprint.windows.normalise import CHANNELS

SHIPPED: Final = Path(__file__).with_name("weights") / "general.npz"
SIZES: Final = {"dimensions": 24, "wide": 96, "code": 12, "head": 160}
WEIGHT: Final = 0.6
"""What its vectors are multiplied by beside the trained network's."""
_OF: Final = "of"


def pretrained_network(catalogue: Catalogue, spans: Sequence[int], window: int) -> PooledNetwork | None:
    """The shipped network, its vectors times WEIGHT; None where minutes are described otherwise than it has learnt them."""
    with np.load(SHIPPED, allow_pickle=False) as found:
        if str(found[_OF]) != _identity(catalogue, spans, window):
            return None
        network = PooledNetwork(CHANNELS * len(catalogue), spans, window, **SIZES)
        own = network.state_dict()
        network.load_state_dict({name: torch.from_numpy(found[name].astype(np.float32)) for name in own})
    with torch.no_grad():
        for scaled in network.head_second.parameters():
            scaled.mul_(WEIGHT)
    return network.eval().requires_grad_(False)


def save(network: PooledNetwork, catalogue: Catalogue, path: Path) -> None:
    """Keep a network of SIZES as the one that is shipped, in half precision."""
    arrays = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    arrays[_OF] = np.array(_identity(catalogue, network.spans, network.window))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _identity(catalogue: Catalogue, spans: Sequence[int], window: int) -> str:
    text = "\n".join([*catalogue.names, *(str(number) for number in (*spans, window))])
    return hashlib.sha256(text.encode()).hexdigest()
