"""Randomly generated faults: reproducible by number, visible in the traffic, and none of the named ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint_lab.simulate.faults.table import FAULTS, fault_table
from faultprint_lab.simulate.run import simulate_network


def test_a_number_always_gives_the_same_fault() -> None:
    few, many = fault_table(3), fault_table(40)
    assert [*few] == [*many][:3] == ["random-000", "random-001", "random-002"]
    assert not {*many} & {*FAULTS}
    assert fault_table(0) is FAULTS


def test_the_same_seed_gives_the_same_traffic_and_other_faults_give_other_traffic() -> None:
    rows, labels = simulate_network(3, 1.0, 5, load=0.2, random_faults=20)
    again, _ = simulate_network(3, 1.0, 5, load=0.2, random_faults=20)
    named, _ = simulate_network(3, 1.0, 5, load=0.2)
    assert rows.equals(again)
    assert not rows.equals(named)
    conditions = {name for name in labels["condition"].to_list() if name not in ("normal", "recovery")}
    assert conditions and all(name.startswith("random-") for name in conditions)


@pytest.mark.parametrize("block", range(4))
def test_every_random_fault_gives_valid_traffic(block: int) -> None:
    """Rows stay in order, and status codes stay within SIP."""
    rows, labels = simulate_network(block, 2.0, 100 + block, episodes_per_day=8, load=0.3, random_faults=40)
    assert len({*labels["condition"].to_list()}) >= 10
    assert rows["start"].is_sorted()
    status = rows["status"].drop_nulls().to_numpy()
    assert ((status >= 100) & (status < 700)).all()
    assert np.isfinite(rows["messages"].to_numpy()).all()


def test_too_many_random_faults_are_refused() -> None:
    with pytest.raises(UsageError, match="2000 random faults cannot be simulated"):
        simulate_network(1, 1.0, 1, random_faults=2000)


def test_the_command_line_option(tmp_path: Path) -> None:
    arguments = ["simulate", "--networks", "1", "--days", "0.5", "--load", "0.1", "--seed", "2", "--random-faults", "5"]
    result = CliRunner().invoke(cli, [*arguments, "--episodes-per-day", "4", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "random-00" in result.output
