"""Vector arithmetic where it must carry everything, and where it must not."""

from __future__ import annotations

import numpy as np
import pytest

from faultprint.tables import NORMAL
from faultprint_lab.benchmark.puzzles.vector_arithmetic import Seen, carried

FAULTS = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (-1.0, 0.0)}


def node(network: str, home: tuple[float, float], faults: str = "abc", turn: float = 1.0) -> Seen:
    place = np.array(home, np.float32)
    befell = {name: place + turn * np.array(FAULTS[name], np.float32) for name in faults}
    return Seen(network, place, {NORMAL: place, **befell})


def test_faults_that_do_the_same_everywhere_are_carried_by_the_arithmetic_alone() -> None:
    found = carried([node("x", (0, 0)), node("y", (50, 0)), node("z", (0, -50))])
    assert found["carried"] == 1
    # Without it, the nearest there is whatever lies towards here: for x it is c of y, and b of z.
    assert found["carried_unmoved"] == pytest.approx(1 / 3, abs=0.12)
    assert found["carried_by_chance"] == pytest.approx(1 / 4)
    assert found["carries"] == 3 * 2 * 3


def test_a_fault_that_does_something_else_elsewhere_is_not_carried() -> None:
    found = carried([node("x", (0, 0), "ac"), node("y", (0, 0), "ac", turn=-1)])
    assert (found["carried"], found["carried_by_chance"]) == (0, pytest.approx(1 / 3))


def test_nodes_of_one_network_and_faults_of_one_node_do_not_count() -> None:
    assert carried([node("x", (0, 0)), node("x", (5, 0))]) == {
        "carried": None,
        "carried_unmoved": None,
        "carried_by_chance": None,
        "carries": 0,
    }
    assert carried([node("x", (0, 0), "ab"), node("y", (5, 0), "bc")])["carries"] == 2
