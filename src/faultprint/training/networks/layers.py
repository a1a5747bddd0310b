"""Layers that take another's place in a network and keep its parameters, so that optimisers and running means hold.

What they are for is to be compared with what they replace (docs/puzzles.md); no preset has them.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize


class SigmoidLinear(nn.Linear):
    """Outputs within [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class UnitLinear(nn.Linear):
    """Outputs of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return normalize(super().forward(x), dim=-1)


class LastBatchNorm(nn.BatchNorm1d):
    """BatchNorm over all but the last axis, where LayerNorm was."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).view_as(x)


class SecondLayerNorm(nn.LayerNorm):
    """LayerNorm over the second axis, where BatchNorm was."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def linear(kind: type[nn.Linear], old: nn.Linear) -> nn.Linear:
    """`old` as another kind of layer; the parameters are the same objects."""
    new = kind(old.in_features, old.out_features)
    new.weight, new.bias = old.weight, old.bias
    return new


def batch_norm(old: nn.LayerNorm) -> LastBatchNorm:
    """The same for a LayerNorm."""
    new = LastBatchNorm(old.normalized_shape[0])
    new.weight, new.bias = old.weight, old.bias
    return new


def layer_norm(old: nn.BatchNorm1d) -> SecondLayerNorm:
    """The same for a BatchNorm."""
    new = SecondLayerNorm(old.num_features)
    new.weight, new.bias = old.weight, old.bias
    return new
