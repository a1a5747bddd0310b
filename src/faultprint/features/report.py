"""The data quality of one run: how many transactions were used, and why others were not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

DROP_REASONS: Final = {
    "not_sip": "another protocol than SIP",
    "no_sip_method": "a method that SIP does not have",
    "outside_coverage": "the start is outside the coverage",
    "completed_before_start": "the completion or another response is before the start",
    "impossible_status": "the final status is not from 200 to 699",
    "impossible_session": "the session is shorter than 0 or longer than a year",
}
"""Reasons to leave a transaction out. The first one that applies is counted."""


@dataclass(slots=True)
class FeatureReport:
    """Data quality of one run.

    rows                 transactions read
    minutes              rows of the minutes table
    nodes                nodes with coverage
    coverage_intervals   coverage intervals
    gaps, gap_us         gaps between coverage intervals of a node: number, total µs
    coverage             source of the coverage: the file's metadata, or inferred from each node's first start and last
                         completion
    dropped              transactions left out, by reason (DROP_REASONS)
    unplaced_outcomes    transactions whose start counts but whose completion is outside the coverage
    """

    rows: int = 0
    minutes: int = 0
    nodes: int = 0
    coverage_intervals: int = 0
    gaps: int = 0
    gap_us: int = 0
    coverage: Literal["metadata", "inferred"] = "metadata"
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DROP_REASONS, 0))
    unplaced_outcomes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON. The stored key of `coverage_intervals` is "stretches"."""
        return {"stretches" if key == "coverage_intervals" else key: value for key, value in asdict(self).items()}
