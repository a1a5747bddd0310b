"""A missing requirement of the machine gives one clear sentence."""

from __future__ import annotations

import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.topology import bed, packages
from faultprint_lab.testbed.topology.network import BedNetwork


def test_a_user_other_than_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "must be run as root" in str(packages.missing())
    with pytest.raises(UsageError, match="must be run as root"):
        bed.up(BedNetwork("n"), seed=1)


def test_missing_packages_are_named_with_the_command_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(packages, "program", lambda name: None if name in ("kamailio", "nft") else f"/bin/{name}")
    monkeypatch.setattr(packages, "modules", lambda: None)
    message = str(packages.missing())
    assert "the Debian packages kamailio, kamailio-ims-modules" in message
    assert "nftables: run make testbed-setup." in message
    assert message.count(".") == 1


def test_another_operating_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "needs Linux" in str(packages.missing())
