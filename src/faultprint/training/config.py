"""The numbers of the default preset that may be others: what `faultprint tune` varies and `train --settings` takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.training.data import samplers
from faultprint.training.losses import contrastive, prototypes
from faultprint.training.networks import pooled


@dataclass(frozen=True, slots=True)
class Range:
    """What a setting may be, both ends included; searched on a logarithmic scale if `log`, in steps if `step` (whole numbers)."""

    low: float
    high: float
    step: int = 0
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


RANGES: Final[Mapping[str, Range]] = {
    "learning_rate": Range(5e-4, 2e-2, log=True),
    "weight_decay": Range(1e-4, 1e-1, log=True),
    "dropout": Range(0.0, 0.6),
    "triplet_weight": Range(0.0, 1.0),
    "pair_temperature": Range(0.1, 2.0, log=True),
    "prototype_temperature": Range(0.1, 2.0, log=True),
    "wide": Range(32, 256, step=16),
    "code": Range(8, 96, step=8),
    "head": Range(64, 320, step=32),
    "dimensions": Range(8, 64, step=8),
    "chunks_per_fault": Range(2, 12, step=1),
    "chunks_of_normal": Range(8, 48, step=4),
}
"""One range a setting, the default within it."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the default preset is made with; without arguments, as it is shipped. Raises UsageError for what no RANGES allow.

    `learning_rate` falls to 0 by half a cosine; `weight_decay` is that of all weights but the prototypes; `dropout` is of
    pooled codes. The loss is pairs + prototypes + `triplet_weight` × triplets, the first two with temperatures of squared
    distances. A minute has a hidden layer `wide` and a `code` a span, a window a hidden layer `head` and `dimensions` numbers
    in its vector. A batch has so many chunks of each fault and of normal.
    """

    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    dropout: float = pooled.DROPOUT
    triplet_weight: float = 0.2
    pair_temperature: float = contrastive.TEMPERATURE
    prototype_temperature: float = prototypes.TEMPERATURE
    wide: int = pooled.WIDE
    code: int = pooled.CODE
    head: int = pooled.HEAD
    dimensions: int = pooled.DIMENSIONS
    chunks_per_fault: int = samplers.PER_FAULT
    chunks_of_normal: int = samplers.OF_NORMAL

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            kind = "a whole number" if allowed.step else "a number"
            if not isinstance(value, int if allowed.step else int | float) or isinstance(value, bool):
                raise UsageError(f"The setting {name} is {value!r}, but it must be {kind} from {allowed}; correct it.")
            if not allowed.low <= value <= allowed.high:
                raise UsageError(f"The setting {name} is {value}, but it must be {kind} from {allowed}; correct it.")

    @property
    def sizes(self) -> dict[str, Any]:
        """What `PooledNetwork` takes of them."""
        return {name: getattr(self, name) for name in ("dimensions", "wide", "code", "head", "dropout")}

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def read(path: Path) -> Hyperparameters:
    """The settings in a JSON file; those that it does not name are the defaults. Raises UsageError."""
    try:
        found: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no settings; give a file that `faultprint tune --settings` wrote.")
    strange = sorted(found.keys() - RANGES.keys())
    if strange:
        raise UsageError(f"{path} names {strange[0]!r}, which is no setting; the settings are {', '.join(RANGES)}.")
    return Hyperparameters(**found)


def write(settings: Hyperparameters, path: Path) -> None:
    """Write them as JSON, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings.as_dict(), indent=2) + "\n", encoding="utf-8")
