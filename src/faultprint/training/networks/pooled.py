"""The default network: a small encoder for every minute, pooling over the window, and a head.

Each span (the minute itself, and the trailing means over 10 and 30 minutes) has its own encoder. So a code never mixes spans,
and the vector of a window depends only on the minutes of this window. The network uses LayerNorm because BatchNorm would
normalise with the statistics of the batch, which do not exist in operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, max_pool1d, pad

WIDE: Final = 96
CODE: Final = 40
HEAD: Final = 160
DIMENSIONS: Final = 32
DROPOUT: Final = 0.3


class SpanLinear(nn.Module):
    """A linear layer for each of S spans: (S, N, inputs) → (S, N, outputs)."""

    def __init__(self, spans: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(spans, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(spans, 1, outputs))
        for i in range(spans):
            nn.init.kaiming_normal_(self.weight.data[i].T, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class PooledNetwork(nn.Module):
    """`encode`: inputs of minutes (N, S · I) → codes (N, S, H). `head`: pooled codes (B, 3 · S · H) → vectors (B, D).

    dimensions   numbers of a vector, D
    wide         width of the hidden layer of a minute
    code         numbers of a code, H
    head         width of the hidden layer of a window
    dropout      dropout rate of the pooled codes
    """

    def __init__(
        self,
        inputs: int,
        spans: Sequence[int],
        window: int,
        dimensions: int = DIMENSIONS,
        *,
        wide: int = WIDE,
        code: int = CODE,
        head: int = HEAD,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.inputs, self.spans, self.window, self.dimensions = inputs, tuple(spans), window, dimensions
        self.code = code
        count = len(self.spans)
        self.first = SpanLinear(count, inputs, wide)
        self.norm = nn.LayerNorm(wide)
        self.second = SpanLinear(count, wide, code)
        self.dropout = nn.Dropout(dropout)
        self.head_first = nn.Linear(3 * count * code, head)
        self.head_norm = nn.LayerNorm(head)
        self.head_second = nn.Linear(head, dimensions)

    def encode(self, minutes: Tensor) -> Tensor:
        """(N, S · I) → (N, S, H), at least 0."""
        x = minutes.view(len(minutes), len(self.spans), self.inputs).transpose(0, 1)
        hidden = torch.relu(self.norm(self.first(x)))
        return torch.relu(self.second(hidden)).transpose(0, 1)

    def head(self, pooled: Tensor) -> Tensor:
        """(B, 3 · S · H) → (B, D)."""
        hidden = torch.relu(self.head_norm(self.head_first(self.dropout(pooled))))
        vectors: Tensor = self.head_second(hidden)
        return vectors

    def pool(self, codes: Tensor, observed: Tensor, ends: range) -> Tensor:
        """Pool the codes of chunks (C, L, S, H) over the window that ends at each minute of `ends`: (C, E, 3 · S · H).

        `observed` is (C, L) bool. `ends` are ascending. A window that begins before the chunk is shorter. The result equals
        `embedding.pooling.pool`.
        """
        present = observed[:, None].to(codes.dtype)
        peaks, means = [], []
        for i, span in enumerate(self.spans):
            reach = self.window - span + 1
            part = codes[:, :, i].transpose(1, 2)
            count = _over(present, reach, ends, 0.0, avg_pool1d) * reach
            peak = _over(part.masked_fill(present == 0, -torch.inf), reach, ends, -torch.inf, max_pool1d)
            total = _over(part.masked_fill(present == 0, 0), reach, ends, 0.0, avg_pool1d) * reach
            peaks.append(torch.where(count > 0.5, peak, 0))
            means.append(total / count.clamp(min=1))
        last = codes[:, ends.start : ends[-1] + 1 : ends.step].flatten(2)
        return torch.cat([torch.cat(peaks + means, dim=1).transpose(1, 2), last], dim=2)


def _over(x: Tensor, reach: int, ends: range, outside: float, pool: Callable[..., Tensor]) -> Tensor:
    """(C, H, E) `pool` over the `reach` minutes up to each end of x (C, H, L). Earlier minutes have the value `outside`."""
    first = ends.start - reach + 1
    inside = x[:, :, max(first, 0) : ends[-1] + 1]
    return pool(pad(inside, (max(-first, 0), 0), value=outside), reach, ends.step)
