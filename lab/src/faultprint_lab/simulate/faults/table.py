"""The table of faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faultprint_lab.simulate.faults import (
    application_server,
    core_leg,
    dns,
    hss_errors,
    hss_link,
    hss_slow,
    link_capacity,
    overload,
    packet_loss,
    pcrf,
    registration_storm,
    scscf,
    traffic_blocked,
)
from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.procedural import procedural_faults

_MODULES: Final = (
    hss_link,
    hss_slow,
    hss_errors,
    traffic_blocked,
    core_leg,
    link_capacity,
    scscf,
    dns,
    packet_loss,
    registration_storm,
    application_server,
    pcrf,
    overload,
)

FAULTS: Final[Mapping[str, SimulatedFault]] = {module.FAULT.name: module.FAULT for module in _MODULES}
"""The named faults, by the condition in the labels."""


def fault_table(random_faults: int) -> Mapping[str, SimulatedFault]:
    """The named faults, or `random_faults` randomly generated ones if this is not 0."""
    return procedural_faults(random_faults) if random_faults else FAULTS
