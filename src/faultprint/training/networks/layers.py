"""Replacement layers for experiments. They keep the parameters of the layer that they replace, so that optimisers stay valid.

No preset uses them. The laboratory compares them with the original layers.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize


class SigmoidLinear(nn.Linear):
    """Linear layer with outputs in [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class UnitLinear(nn.Linear):
    """Linear layer with outputs of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return normalize(super().forward(x), dim=-1)


class LastBatchNorm(nn.BatchNorm1d):
    """BatchNorm over all axes but the last, as a replacement of LayerNorm."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).view_as(x)


class SecondLayerNorm(nn.LayerNorm):
    """LayerNorm over the second axis, as a replacement of BatchNorm."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def linear(kind: type[nn.Linear], old: nn.Linear) -> nn.Linear:
    """`old` as another kind of linear layer. The parameters are the same objects."""
    new = kind(old.in_features, old.out_features)
    new.weight, new.bias = old.weight, old.bias
    return new


def batch_norm(old: nn.LayerNorm) -> LastBatchNorm:
    """A LayerNorm as a BatchNorm. The parameters are the same objects."""
    new = LastBatchNorm(old.normalized_shape[0])
    new.weight, new.bias = old.weight, old.bias
    return new


def layer_norm(old: nn.BatchNorm1d) -> SecondLayerNorm:
    """A BatchNorm as a LayerNorm. The parameters are the same objects."""
    new = SecondLayerNorm(old.num_features)
    new.weight, new.bias = old.weight, old.bias
    return new
