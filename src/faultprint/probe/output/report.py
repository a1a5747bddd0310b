"""What the probe says about a run: counts, nothing that names a subscriber."""

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

    `messages`: every SIP message read, `diameter_messages`: every Diameter message read, retransmissions, duplicates
    and malformed ones included. What follows is of both. `transactions`: rows written; a transaction between two
    watched nodes is two. `retransmissions`: requests and responses sent again. `duplicates`: the same bytes again
    within 20 ms, a mirror's or tunnel's copy. `malformed`: messages by the first rule of RFC 3261 or RFC 6733 that they
    break. `skipped`: packets, streams and messages that were not used, by reason. `open`, `timed_out`: rows without
    final answer, because the listening ended or because time did. `coverage`: start and end (µs) of what was listened
    to.
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

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
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
            "coverage": [list(stretch) for stretch in self.coverage],
        }
