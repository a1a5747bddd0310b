"""The CSCFs' configuration files: every template is found and every placeholder gets a value."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultprint_lab.testbed.topology import kamailio
from faultprint_lab.testbed.topology.network import BedNetwork


@pytest.mark.parametrize("hep", [None, "10.60.0.4:9060"])
def test_configurations_have_no_open_placeholder(hep: str | None, tmp_path: Path) -> None:
    kamailio.write_configurations(tmp_path, BedNetwork("coast", t1_ms=400), Path("/usr/lib/kamailio/modules"), hep)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{node}{end}" for node in kamailio.CSCFS for end in (".cfg", "-common.cfg", ".xml")}
    for path in tmp_path.iterdir():
        assert "@@" not in path.read_text()
    assert ("siptrace" in (tmp_path / "pcscf.cfg").read_text()) == (hep is not None)
    assert "400" in (tmp_path / "pcscf-common.cfg").read_text()
    ElementTree.fromstring((tmp_path / "scscf.xml").read_text())


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="MISSING"):
        kamailio.fill("@@MISSING@@", {})
