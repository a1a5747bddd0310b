"""The report of a probe run: counts, and nothing that names a subscriber."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbedNode:
    """A watched node: its addresses, and whether they were given or inferred."""

    addresses: tuple[str, ...]
    inferred: bool


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Counts of one run.

    messages             SIP messages, with retransmissions, duplicates and malformed ones
    diameter_messages    the same for Diameter; all other counts are for SIP and Diameter together
    transactions         rows; a transaction between two watched nodes has two
    retransmissions      requests and responses that were sent again
    duplicates           copies by a mirror port or tunnel: the same bytes again within 20 ms
    malformed            messages by the first rule of RFC 3261 or RFC 6733 that they break
    skipped              packets, streams and messages that were not used, by reason
    nodes                the watched nodes
    unheard              those without any message
    open, timed_out      rows without a final response, because the capture ended or because the time was over
    coverage             intervals in which the probe captured: start and end, µs
    holes                times inside a capture without any packet, too long to be chance: start and end, µs, and what they
                         are taken for: gap or silence
    late                 packets that were more out of order than the probe can mend: number, and the worst delay, µs
    cut                  captures that end inside a packet
    relative_times       the clock that stamped the packets was not set: the times count from its start, not from 1970
    agents               the agents that sent HEP, each with the offset of its clock; without HEP there are none
    """

    messages: int
    diameter_messages: int
    transactions: int
    retransmissions: int
    duplicates: int
    malformed: Mapping[str, int]
    skipped: Mapping[str, int]
    nodes: Mapping[str, ProbedNode]
    open: int
    timed_out: int
    coverage: tuple[tuple[int, int], ...]
    holes: tuple[tuple[int, int, str], ...] = ()
    relative_times: bool = False
    unheard: tuple[str, ...] = ()
    agents: tuple[Mapping[str, object], ...] = ()
    late: tuple[int, int] = (0, 0)
    cut: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The report for JSON."""
        return {
            "messages": self.messages,
            "diameter_messages": self.diameter_messages,
            "transactions": self.transactions,
            "retransmissions": self.retransmissions,
            "duplicates": self.duplicates,
            "malformed": dict(self.malformed),
            "skipped": dict(self.skipped),
            "nodes": {
                name: {"addresses": list(node.addresses), "inferred": node.inferred}
                for name, node in self.nodes.items()
            },
            "open": self.open,
            "timed_out": self.timed_out,
            "coverage": [list(interval) for interval in self.coverage],
            "holes": [list(hole) for hole in self.holes],
            "relative_times": self.relative_times,
            "unheard": list(self.unheard),
            "late_packets": self.late[0],
            "late_by_us": self.late[1],
            "cut_captures": list(self.cut),
        } | ({"agents": [dict(agent) for agent in self.agents]} if self.agents else {})
