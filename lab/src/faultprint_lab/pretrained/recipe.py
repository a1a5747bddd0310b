"""The recipe of the default model and the starter library: every number that decides what they become."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from faultprint.cases.calibration import ALARMS_PER_DAY

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""First minute of all simulated networks: a Monday morning."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the model is trained on, what its thresholds are set on, and what it is reported on.

    Each group of networks has numbers of its own, so no network is in two groups.

    seed                    of the simulated networks and of the training
    networks                simulated networks to train on, and to take references from
    calibration_networks    simulated networks that set the thresholds
    report_seeds            seeds of the networks that give the figures; none of them is used in anything else
    report_networks         networks of each of these seeds
    days                    of each network
    episodes_per_day        fault episodes of a training network
    epochs                  of the training
    simulated_references,
    testbed_references      references of each fault in the starter library, at most
    confirm_minutes         minutes that must agree, for the figures
    false_alarms_per_day    that the thresholds allow on the calibration networks, a node
    """

    seed: int = 20
    networks: int = 40
    calibration_networks: int = 12
    report_seeds: tuple[int, ...] = (101, 102, 103)
    report_networks: int = 4
    days: float = 2.0
    episodes_per_day: float = 9.0
    epochs: int = 40
    simulated_references: int = 5
    testbed_references: int = 3
    confirm_minutes: int = 3
    false_alarms_per_day: float = ALARMS_PER_DAY

    def as_dict(self) -> dict[str, Any]:
        """The recipe for the model card."""
        return asdict(self) | {"report_seeds": list(self.report_seeds), "start": START.isoformat()}


RECIPE: Final = Recipe()
"""The recipe of the files in `faultprint.pretrained`."""
FIRST_CALIBRATION_NETWORK: Final = 4000
FIRST_REPORT_NETWORK: Final = 5000
"""Numbers of the first network of each group; training networks count from 0."""
