"""docs/science/simulator.md lists the faults and disturbances with their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultprint_lab.simulate.disturbances import DISTURBANCES, Disturbance
from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.table import FAULTS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "science" / "simulator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_every_fault_has_its_line(fault: SimulatedFault) -> None:
    total = f"{100 * fault.total:.0f} %"
    assert f"| `{fault.name}` | {fault.severity} ({fault.min_severity:g}; {total}) |" in PAGE


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda disturbance: disturbance.name)
def test_every_disturbance_has_its_line(disturbance: Disturbance) -> None:
    assert f"| {disturbance.name} |" in PAGE
