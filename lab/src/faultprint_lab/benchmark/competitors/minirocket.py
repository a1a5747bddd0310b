"""MiniRocket features of the windows of a series, computed once for each minute instead of once for each window.

There are 84 kernels of nine weights (three of them 2, six −1), each with several dilations. A feature is the proportion
of positive values (PPV): the share of values of a convolution above a bias. Biases are quantiles of convolutions of
training windows. At a given minute the convolution has the same value in all windows that hold its nine inputs, so the
share over a window is a trailing mean. The original pads every other convolution with zeros; here none is padded.
Dempster, Schmidt, Webb: MiniRocket, KDD 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.windows.trailing import trailing_sum

LENGTH: Final = 9
KERNELS: Final = np.array(
    [[2.0 if i in three else -1.0 for i in range(LENGTH)] for three in combinations(range(LENGTH), 3)]
)
"""(84, 9) weights."""
BIASES: Final = 4
"""Biases for each kernel and dilation."""
_MAX_CHANNELS: Final = 9
"""Channels that one kernel sums, at most; their number is drawn from a log-uniform distribution, as in the original."""


@dataclass(frozen=True, slots=True)
class MiniRocket:
    """Fitted convolutions. Pair p is dilation × kernel.

    `channels` (P, K) is 1 where pair p sums channel k, else 0; `bias` is (P, BIASES).
    """

    window: int
    dilations: tuple[int, ...]
    channels: Float32Array
    bias: Float32Array

    @classmethod
    def fitted(cls, series: list[tuple[Float32Array, IntArray]], window: int, rng: np.random.Generator) -> MiniRocket:
        """Draw channels and biases. `series`: minutes (T, K), and the last minutes of the windows that biases are drawn from."""
        dilations = tuple(sorted({int(d) for d in 2 ** np.linspace(0, np.log2((window - 1) / (LENGTH - 1)), 32)}))
        width, pairs = series[0][0].shape[1], len(dilations) * len(KERNELS)
        channels = np.zeros((pairs, width), np.float32)
        limit = np.log2(min(width, _MAX_CHANNELS) + 1)
        for row in channels:
            row[rng.choice(width, int(2 ** rng.uniform(0, limit)), replace=False)] = 1
        rocket = cls(window, dilations, channels, np.zeros((pairs, BIASES), np.float32))
        levels = (np.arange(1, pairs * BIASES + 1) * ((np.sqrt(5) + 1) / 2)) % 1
        bias = np.empty((pairs, BIASES), np.float32)
        drawn = [(values, int(rng.choice(ends))) for values, ends in series if len(ends)]
        for number, dilation in enumerate(dilations):
            parts = [rocket._convolved(values[end - window + 1 : end + 1], number) for values, end in drawn]
            outputs = np.concatenate([part[(LENGTH - 1) * dilation :] for part in parts])
            for kernel in range(len(KERNELS)):
                pair = number * len(KERNELS) + kernel
                bias[pair] = np.quantile(outputs[:, kernel], levels[pair * BIASES : (pair + 1) * BIASES])
        return cls(window, dilations, channels, bias)

    def features(self, minutes: Float32Array, ends: IntArray) -> Float32Array:
        """(N, P · BIASES) float32 for the windows of `minutes` (T, K) that end at `ends`; zeros precede the first minute."""
        padded = np.concatenate([np.zeros((self.window - 1, minutes.shape[1]), np.float32), minutes])
        rows, parts = ends + self.window - 1, []
        for number, dilation in enumerate(self.dilations):
            span = self.window - (LENGTH - 1) * dilation
            values = self._convolved(padded, number)
            for index in range(BIASES):
                bias = self.bias[number * len(KERNELS) : (number + 1) * len(KERNELS), index]
                parts.append(trailing_sum((values > bias).astype(np.float32), span)[rows] / span)
        return np.concatenate(parts, axis=1)

    def _convolved(self, values: Float32Array, number: int) -> Float32Array:
        """(T, 84) of one dilation: at each minute, over it and the 8 · dilation minutes before. The first values lack inputs."""
        dilation = self.dilations[number]
        mixed = values @ self.channels[number * len(KERNELS) : (number + 1) * len(KERNELS)].T
        total = np.zeros_like(mixed)
        for index in range(LENGTH):
            shift = (LENGTH - 1 - index) * dilation
            total[shift:] += KERNELS[:, index].astype(np.float32) * mixed[: len(mixed) - shift]
        return total
