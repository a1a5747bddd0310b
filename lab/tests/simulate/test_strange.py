"""Faults that nobody has named: each by its number, each seen in the traffic, none of the table's."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint_lab.simulate.faults.table import FAULTS, faults_of
from faultprint_lab.simulate.run import simulate_network


def test_a_number_is_always_the_same_fault() -> None:
    few, many = faults_of(3), faults_of(40)
    assert [*few] == [*many][:3] == ["strange-000", "strange-001", "strange-002"]
    assert not {*many} & {*FAULTS}
    assert faults_of(0) is FAULTS


def test_the_same_seed_gives_the_same_traffic_and_other_faults_other_traffic() -> None:
    one, labels = simulate_network(3, 1.0, 5, load=0.2, strange=20)
    again, _ = simulate_network(3, 1.0, 5, load=0.2, strange=20)
    named, _ = simulate_network(3, 1.0, 5, load=0.2)
    assert one.equals(again)
    assert not one.equals(named)
    words = {word for word in labels["condition"].to_list() if word not in ("normal", "recovery")}
    assert words and all(word.startswith("strange-") for word in words)


@pytest.mark.parametrize("block", range(4))
def test_every_kind_can_strike(block: int) -> None:
    """Ten kinds in a day: rows stay in order and answers within what SIP knows."""
    rows, labels = simulate_network(block, 2.0, 100 + block, episodes_per_day=8, load=0.3, strange=40)
    assert len({*labels["condition"].to_list()}) >= 10
    assert rows["start"].is_sorted()
    status = rows["status"].drop_nulls().to_numpy()
    assert ((status >= 100) & (status < 700)).all()
    assert np.isfinite(rows["messages"].to_numpy()).all()


def test_too_many_are_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="no 2000 strange faults"):
        simulate_network(1, 1.0, 1, strange=2000)


def test_the_command_takes_them(tmp_path) -> None:  # type: ignore[no-untyped-def]
    arguments = ["simulate", "--networks", "1", "--days", "0.5", "--load", "0.1", "--seed", "2", "--strange", "5"]
    found = CliRunner().invoke(cli, [*arguments, "--episodes-per-day", "4", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "strange-00" in found.output
