"""The benchmarks use the product as its monitor does, so a small run of them must work."""

from __future__ import annotations

from pathlib import Path

from benchmarks.many_nodes import monitor_of_nodes


def test_a_few_nodes_get_verdicts_minute_by_minute(tmp_path: Path) -> None:
    nodes = 6
    with monitor_of_nodes(tmp_path, nodes) as monitored:
        monitored.fill()
        monitored.minute(0)
        monitored.place_reference()
        monitored.minute(1)
        assert monitored.monitor.counters.minutes == 2
        assert sum(monitored.monitor.counters.verdicts.values()) == 2 * nodes
