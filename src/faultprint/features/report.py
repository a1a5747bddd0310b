"""What was made of the transactions, and what could not be used."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

DROPPED: Final = {
    "not_sip": "of another protocol than SIP",
    "no_sip_method": "of a method that SIP does not have",
    "outside_coverage": "start outside every stretch that was listened to",
    "completed_before_start": "completion, or another answer, before the start",
    "impossible_status": "a final status that is not from 200 to 699",
    "impossible_session": "a session shorter than nothing or longer than a year",
}
"""Reasons for leaving a transaction out; the first that applies is counted."""


@dataclass(slots=True)
class FeatureReport:
    """Data quality of one run.

    `rows` transactions were read; `dropped` counts those left out, by reason; `unplaced_outcomes` those whose start
    counts but whose completion lies outside every stretch. `coverage` says where the stretches come from: the
    transactions' metadata, or inferred from the first start to the last completion of each node.
    """

    rows: int = 0
    minutes: int = 0
    nodes: int = 0
    stretches: int = 0
    gaps: int = 0
    gap_us: int = 0
    coverage: Literal["metadata", "inferred"] = "metadata"
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DROPPED, 0))
    unplaced_outcomes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The report as an object for JSON."""
        return asdict(self)
