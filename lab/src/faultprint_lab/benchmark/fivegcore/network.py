"""A network for tables in which an episode lasts only a few rows: neighbouring rows, concatenated, → a vector.

It learns from hundreds of labelled rows, not from tens of thousands of windows, so its layers are small and have dropout.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

WIDE: Final = 128
CODE: Final = 96
DIMENSIONS: Final = 32
_INPUT_DROPOUT: Final = 0.1
_DROPOUT: Final = 0.3


class RowNetwork(nn.Module):
    """(N, inputs) → (N, DIMENSIONS)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(_INPUT_DROPOUT),
            *(nn.Linear(inputs, WIDE), nn.LayerNorm(WIDE), nn.ReLU(), nn.Dropout(_DROPOUT)),
            *(nn.Linear(WIDE, CODE), nn.LayerNorm(CODE), nn.ReLU(), nn.Dropout(_DROPOUT)),
            nn.Linear(CODE, DIMENSIONS),
        )

    def forward(self, rows: Tensor) -> Tensor:
        vectors: Tensor = self.layers(rows)
        return vectors
