"""The configuration of a training, and the hyperparameters of the default preset, which `faultprint tune` searches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.training.augment.template import FaultTemplate
from faultprint.training.data import samplers
from faultprint.training.losses import contrastive, prototypes
from faultprint.training.networks import pooled


@dataclass(frozen=True, slots=True)
class Range:
    """The range of a hyperparameter, with both ends. `log`: search on a logarithmic scale. `step`: whole numbers in steps."""

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
"""The range of every hyperparameter. The default lies in it."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The hyperparameters of the default preset. Raises UsageError for a value outside RANGES.

    learning_rate           initial learning rate; it falls to 0 along half a cosine
    weight_decay            weight decay of all weights except the prototypes
    dropout                 dropout rate of the pooled codes
    triplet_weight          weight of the triplet loss; the contrastive and the prototype loss have weight 1
    pair_temperature        temperature of the contrastive loss
    prototype_temperature   temperature of the prototype loss
    wide, code              width of the hidden layer of a minute, and of its code for each span
    head, dimensions        width of the hidden layer of a window, and of its vector
    chunks_per_fault        chunks of each fault in a batch
    chunks_of_normal        chunks of normal traffic in a batch
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
    chunks_per_fault: int = samplers.CHUNKS_PER_FAULT
    chunks_of_normal: int = samplers.CHUNKS_OF_NORMAL

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
        """The arguments of `PooledNetwork`."""
        return {name: getattr(self, name) for name in ("dimensions", "wide", "code", "head", "dropout")}

    def as_dict(self) -> dict[str, float]:
        """The hyperparameters as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What to train, and how. Together with the data it determines the weights.

    preset            name of the preset
    hyperparameters   those of the default preset, if they are not its own
    seed              seed of all random numbers
    epochs            number of epochs; None: the plan of the preset
    max_seconds       time limit for steps and scoring, not for the export; without `epochs`, train until this limit
    augment_rare      augment the faults with at most this number of examples; 0: none
    templates         examples of faults from elsewhere, for augmentation, too
    device            one of `training.device.DEVICES`
    """

    preset: str = "default"
    hyperparameters: Hyperparameters | None = None
    seed: int = 1
    epochs: int | None = None
    max_seconds: float | None = None
    augment_rare: int = 0
    templates: Sequence[FaultTemplate] = ()
    device: str = "cpu"


def read(path: Path) -> Hyperparameters:
    """The hyperparameters in a JSON file. Those that it does not name have their defaults. Raises UsageError."""
    try:
        document: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"{path} contains no settings; give a file that `faultprint tune --settings` wrote.")
    if unknown := sorted(document.keys() - RANGES.keys()):
        raise UsageError(
            f"{path} contains {unknown[0]!r}, which is not a setting; the settings are {', '.join(RANGES)}."
        )
    return Hyperparameters(**document)


def write(hyperparameters: Hyperparameters, path: Path) -> None:
    """Write the hyperparameters as JSON. The file is replaced as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(hyperparameters.as_dict(), indent=2) + "\n", encoding="utf-8")
