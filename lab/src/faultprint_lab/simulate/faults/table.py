"""The faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint_lab.simulate.faults import (
    application_server,
    blocked,
    congestion,
    core_leg,
    dns,
    hss,
    hss_errors,
    hss_slow,
    loss,
    overload,
    pcrf,
    scscf,
    storm,
)
from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.procedural import procedural_fault as strange_faults

_MODULES: Final = (
    hss,
    hss_slow,
    hss_errors,
    blocked,
    core_leg,
    congestion,
    scscf,
    dns,
    loss,
    storm,
    application_server,
    pcrf,
    overload,
)

FAULTS: Final[Mapping[str, SimulatedFault]] = {module.FAULT.name: module.FAULT for module in _MODULES}
"""By name, the condition in the labels."""


def faults_of(strange: int) -> Mapping[str, SimulatedFault]:
    """FAULTS, or so many that nobody has named, if any."""
    return strange_faults(strange) if strange else FAULTS
