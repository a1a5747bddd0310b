"""Networks side by side on the same minutes: each encodes, pools and judges by itself, and a vector is all of theirs in a row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faultprint.training.networks.pooled import PooledNetwork


class ConcatEncoder(nn.Module):
    """As a `PooledNetwork`, H and D being the sums of the networks' own. They must have spans, window and inputs in common."""

    def __init__(self, networks: Sequence[PooledNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def each(self) -> list[PooledNetwork]:
        """The networks."""
        return [network for network in self.networks if isinstance(network, PooledNetwork)]

    def encode(self, minutes: Tensor) -> Tensor:
        """(N, S · I) → (N, S, H)."""
        return torch.cat([network.encode(minutes) for network in self.each], dim=2)

    def pool(self, codes: Tensor, observed: Tensor, ends: range) -> Tensor:
        """As `PooledNetwork.pool`: it works on every code by itself."""
        return self.each[0].pool(codes, observed, ends)

    def head(self, pooled: Tensor) -> Tensor:
        """(B, 3 · S · H) → (B, D)."""
        sizes = [network.code for network in self.each]
        parts = torch.split(pooled.view(len(pooled), -1, sum(sizes)), sizes, dim=2)
        return torch.cat([network.head(part.flatten(1)) for network, part in zip(self.each, parts, strict=True)], dim=1)
