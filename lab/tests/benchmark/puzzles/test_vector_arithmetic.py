"""Vector arithmetic where it must transfer every fault, and where it must transfer none."""

from __future__ import annotations

import numpy as np
import pytest

from faultprint.tables import NORMAL
from faultprint_lab.benchmark.puzzles.vector_arithmetic import NodeVectors, transfer_shares

FAULTS = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (-1.0, 0.0)}


def node(network: str, home: tuple[float, float], faults: str = "abc", turn: float = 1.0) -> NodeVectors:
    origin = np.array(home, np.float32)
    conditions = {name: origin + turn * np.array(FAULTS[name], np.float32) for name in faults}
    return NodeVectors(network, origin, {NORMAL: origin, **conditions})


def test_faults_with_the_same_effect_everywhere_transfer_by_arithmetic_only() -> None:
    shares = transfer_shares([node("x", (0, 0)), node("y", (50, 0)), node("z", (0, -50))])
    assert shares["carried"] == 1
    # Without it, the nearest vector at the other node is on the side of the first: for x it is c of y, and b of z.
    assert shares["carried_unmoved"] == pytest.approx(1 / 3, abs=0.12)
    assert shares["carried_by_chance"] == pytest.approx(1 / 4)
    assert shares["carries"] == 3 * 2 * 3


def test_a_fault_with_another_effect_elsewhere_does_not_transfer() -> None:
    shares = transfer_shares([node("x", (0, 0), "ac"), node("y", (0, 0), "ac", turn=-1)])
    assert (shares["carried"], shares["carried_by_chance"]) == (0, pytest.approx(1 / 3))


def test_nodes_of_one_network_and_faults_of_one_node_are_not_counted() -> None:
    assert transfer_shares([node("x", (0, 0)), node("x", (5, 0))]) == {
        "carried": None,
        "carried_unmoved": None,
        "carried_by_chance": None,
        "carries": 0,
    }
    assert transfer_shares([node("x", (0, 0), "ab"), node("y", (5, 0), "bc")])["carries"] == 2
