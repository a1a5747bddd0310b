"""Concatenation of pooled networks: each encodes the same minutes, and the vectors are concatenated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faultprint.training.networks.pooled import PooledNetwork


class ConcatEncoder(nn.Module):
    """Has the interface of a `PooledNetwork`. H and D are the sums over the networks, which share spans, window and inputs."""

    def __init__(self, networks: Sequence[PooledNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def parts(self) -> list[PooledNetwork]:
        """The concatenated networks."""
        return [network for network in self.networks if isinstance(network, PooledNetwork)]

    def encode(self, minutes: Tensor) -> Tensor:
        """(N, S · I) → (N, S, H)."""
        return torch.cat([network.encode(minutes) for network in self.parts], dim=2)

    def pool(self, codes: Tensor, observed: Tensor, ends: range) -> Tensor:
        """See `PooledNetwork.pool`, which pools every component of a code separately."""
        return self.parts[0].pool(codes, observed, ends)

    def head(self, pooled: Tensor) -> Tensor:
        """(B, 3 · S · H) → (B, D)."""
        sizes = [network.code for network in self.parts]
        pooled_parts = torch.split(pooled.view(len(pooled), -1, sum(sizes)), sizes, dim=2)
        return torch.cat(
            [network.head(part.flatten(1)) for network, part in zip(self.parts, pooled_parts, strict=True)], dim=1
        )
