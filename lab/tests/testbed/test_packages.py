"""What is missing on a machine is said in one sentence."""

from __future__ import annotations

import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.topology import bed, packages
from faultprint_lab.testbed.topology.network import TestbedNetwork


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "must be run as root" in str(packages.missing())
    with pytest.raises(UsageError, match="must be run as root"):
        bed.up(TestbedNetwork("n"), seed=1)


def test_missing_packages_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(packages, "program", lambda name: None if name in ("kamailio", "nft") else f"/bin/{name}")
    monkeypatch.setattr(packages, "modules", lambda: None)
    said = str(packages.missing())
    assert "the Debian packages kamailio, kamailio-ims-modules" in said
    assert "nftables: run make testbed-setup." in said
    assert said.count(".") == 1


def test_another_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "needs Linux" in str(packages.missing())
