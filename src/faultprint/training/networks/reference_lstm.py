"""The LSTM network of the 2017 baseline, layer by layer, as Keras builds it.

    BatchNorm 132 · LSTM 512 (sequence) · LSTM 512 (last) · BatchNorm · Dense 512 · BatchNorm · Dense 10 · BatchNorm

With 132 features it has 3,692,610 parameters; 3,690,278 are trained (the mean and variance of a BatchNorm are not). Initial
weights are those of Keras: Glorot uniform, orthogonal recurrent weights, forget gates at 1. The source gives no activation of
the dense layer; ReLU is used, which is usual.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

HIDDEN: Final = 512
DIMENSIONS: Final = 10
DIMENSIONS_3D: Final = 3
_EPSILON: Final = 1e-3
_MOMENTUM: Final = 0.01
"""The defaults of Keras. Its momentum of 0.99 is 0.01 in torch."""


class KerasLSTM(nn.Module):
    """An LSTM with one bias for each gate. torch has two; here the second is a constant zero, not a parameter."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.kernel = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.recurrent = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.register_buffer("no_bias", torch.zeros(4 * hidden), persistent=False)
        nn.init.xavier_uniform_(self.kernel)
        nn.init.orthogonal_(self.recurrent)
        with torch.no_grad():
            self.bias[hidden : 2 * hidden] = 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, inputs) → (B, T, hidden), the hidden state of every step."""
        zero = x.new_zeros(1, len(x), self.hidden)
        weights = [self.kernel, self.recurrent, self.bias, self.get_buffer("no_bias")]
        output: Tensor = torch.lstm(x, [zero, zero], weights, True, 1, 0.0, self.training, False, True)[0]
        return output


def _norm(channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, eps=_EPSILON, momentum=_MOMENTUM)


def _dense(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ReferenceLstm(nn.Module):
    """(B, T, F) raw windows → (B, dimensions).

    `hidden` is the width of the inner layers. `sigmoid` limits the outputs to [0, 1], as the lossless triplet loss needs
    (the variant with three dimensions).
    """

    def __init__(
        self, features: int, dimensions: int = DIMENSIONS, *, hidden: int = HIDDEN, sigmoid: bool = False
    ) -> None:
        super().__init__()
        self.features, self.dimensions, self.sigmoid = features, dimensions, sigmoid
        self.norm_input = _norm(features)
        self.lstm_1 = KerasLSTM(features, hidden)
        self.lstm_2 = KerasLSTM(hidden, hidden)
        self.norm_state = _norm(hidden)
        self.dense = _dense(hidden, hidden)
        self.norm_dense = _norm(hidden)
        self.output = _dense(hidden, dimensions)
        self.norm_output = _norm(dimensions)

    def forward(self, windows: Tensor) -> Tensor:
        x = self.norm_input(windows.transpose(1, 2)).transpose(1, 2)
        state = self.lstm_2(self.lstm_1(x))[:, -1]
        hidden = torch.relu(self.dense(self.norm_state(state)))
        vectors: Tensor = self.norm_output(self.output(self.norm_dense(hidden)))
        return torch.sigmoid(vectors) if self.sigmoid else vectors


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """(all, trained) parameters as Keras counts them. The running mean and variance of a BatchNorm are not trained."""
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    running = sum(2 * m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm1d))
    return trained + running, trained
