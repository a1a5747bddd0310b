"""Incidents of a VERDICTS table: the verdicts are replayed through the incidents of the live monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import VerdictCode
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.publish.incident import Explanation, Incident
from faultprint.tables import NO_TRAFFIC, NORMAL, UNKNOWN, WARMING_UP

_CODES: Final = {
    NORMAL: VerdictCode.NORMAL,
    WARMING_UP: VerdictCode.WARMING_UP,
    UNKNOWN: VerdictCode.UNKNOWN,
    NO_TRAFFIC: VerdictCode.NO_TRAFFIC,
}
_NAMED: Final = VerdictCode.NORMAL + 1
"""The code of every fault with a name: incidents tell faults apart by their conditions, not by their codes."""
_COLUMNS: Final = ("condition", "distance", "runner_up", "margin", "evidence", "probability")


@dataclass(frozen=True, slots=True)
class RecordedMinute:
    """The verdicts of one minute from a table, as `Incidents` reads them. `rows`: the table's rows, one for each node."""

    number: int
    nodes: IntArray
    code: IntArray
    active: BoolArray
    rows: Sequence[Mapping[str, Any]]

    def condition(self, position: int) -> str:
        """The verdict of the node at this position, in words."""
        return str(self.rows[position]["condition"])

    def explanation(self, position: int) -> Explanation:
        """Why the node at this position has its verdict."""
        row = self.rows[position]
        return Explanation(
            row["distance"], row["runner_up"], row["margin"], tuple(row["evidence"] or ()), row["probability"]
        )


def recorded_incidents(
    verdicts: pl.DataFrame,
    networks: Mapping[str, str],
    *,
    interval_us: int,
    persistence: int,
    rules: IncidentRules | None = None,
    maintenance: Sequence[Maintenance] = (),
) -> list[Incident]:
    """The incidents of a VERDICTS table, each in its last state, by onset and node.

    networks      node → name of its network
    interval_us   length of a minute, µs
    persistence   minutes that confirmed the verdicts: an onset is dated back by them
    rules         when incidents begin and end; default: as a monitor without settings
    """
    incidents = Incidents(rules or IncidentRules(), maintenance, interval_us, persistence)
    nodes, found = NodeTable(), dict[str, Incident]()
    numbered = verdicts.with_columns(number=pl.col("minute").dt.epoch("us") // interval_us).sort("number", "node")
    for (number,), rows in numbered.group_by("number", maintain_order=True):
        names = rows["node"].cast(pl.String).to_list()
        index = nodes.index(names, [networks.get(name, "") for name in names])
        order = np.argsort(index)
        minute = RecordedMinute(
            int(str(number)),
            index[order],
            np.array([_CODES.get(name, _NAMED) for name in rows["condition"].to_list()], np.int64)[order],
            rows["ongoing"].to_numpy()[order],
            rows.select(_COLUMNS)[order.tolist()].to_dicts(),
        )
        for incident in incidents.update(minute, nodes):
            found[str(incident.identity)] = incident
    return sorted(found.values(), key=lambda incident: (incident.onset_us, incident.node))
