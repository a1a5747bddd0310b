"""The demo's second part: a real capture of a registration brute force, enrolled from its first hour.

The capture holds only the attack, at two servers, so their normal traffic is unknown. An idle hour is put before it:
sixty observed minutes without traffic. Every report of the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint.cases.baseline import Baseline
from faultprint.cases.calibration import calibrate_library
from faultprint.cases.enrol import MAX_LAG, Enrolment, enrol
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model
from faultprint.features.catalogue import Catalogue
from faultprint.features.minutes import build_minutes_file, read_minutes
from faultprint.probe.capture.run import NodeSpec, probe_captures
from faultprint.tables import NO_TRAFFIC, NORMAL, WARMING_UP
from faultprint_lab.baselines.recorded import Tables

CONDITION: Final = "registration-brute-force"
ENROLLED_NODE: Final = "server-1"
NODES: Final = {ENROLLED_NODE: "138.167.116.102", "server-2": "137.11.220.89"}
"""The servers in initconf/sip-attacks SIP-Bruteforce-Single-IP.pcap that answer the attacker."""
IDLE: Final = 60
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Recognition:
    """Verdicts on the capture with a `truth` column, and by node the share of minutes with the right verdict.

    `minutes` are the attacked minutes by node; `false_alarms` are minutes of unseen networks that are called the brute force.
    """

    scored: pl.DataFrame
    reference: Reference
    shares: dict[str, float]
    minutes: dict[str, int]
    false_alarms: int
    interval_us: int

    def lines(self) -> list[str]:
        """The result in sentences."""
        sentences = [
            f"A real capture of a registration brute force at two servers ({', '.join(NODES.values())}): "
            f"{sum(self.minutes.values())} scored minutes. It holds nothing but the attack, so the normal traffic of the "
            "servers is unknown; an hour without traffic before the capture is their baseline.",
            f"Enrolled: one reference from the first hour at {ENROLLED_NODE} ({self.reference.windows} windows), in addition "
            "to the references of the simulated faults. The thresholds were then calibrated again.",
        ]
        for node, share in self.shares.items():
            part = (
                "the rest of the attack" if node == ENROLLED_NODE else "the whole attack, without an enrolled example,"
            )
            sentences.append(f"{node}: {part} is named {CONDITION} in {share:.0%} of {self.minutes[node]} minutes.")
        sentences.append(
            f"The simulated networks, identified again with this reference in the library, are called {CONDITION} in "
            f"{self.false_alarms} minutes."
        )
        return sentences


def recognise(
    capture: Path,
    model: Model,
    library: Library,
    other_minutes: pl.DataFrame,
    calibration: Tables,
    folder: Path,
    *,
    key: bytes,
    persistence: int,
    now: datetime,
) -> Recognition:
    """Enrol the brute force from the first hour at one server, and identify it in the rest and at the other server.

    The reference is added to the library, and the library is calibrated again on `calibration`, minutes and labels of
    networks without references: a reference near to normal needs stricter thresholds. `other_minutes` are without such an
    attack. Transactions and minutes of the capture stay in `folder`. Raises CaptureError, and as `cases.enrol`,
    `cases.calibration` and `cases.identify` do.
    """
    transactions, path = folder / "capture.transactions.parquet", folder / "capture.minutes.parquet"
    nodes = [NodeSpec.parse(f"{name}={address}") for name, address in NODES.items()]
    probe_captures([capture], transactions, nodes=nodes, network="capture", key=key)
    build_minutes_file(transactions, path)
    captured = read_minutes(path, model.catalogue).frame
    minutes = pl.concat([idle_before(captured, model.catalogue), captured]).sort("node", "minute")
    starts = {str(node): _first(rows) for (node,), rows in captured.group_by("node")}
    # The baseline is given explicitly, because minutes without traffic are not chosen as a baseline by themselves.
    idle = {node: (start - IDLE * timedelta(minutes=1), start) for node, start in starts.items()}
    start = starts[ENROLLED_NODE]
    enrolment = Enrolment(CONDITION, (start, start + HOUR), f"first hour of {capture.name}")
    baseline = Baseline.interval(*idle[ENROLLED_NODE])
    reference = enrol(minutes, enrolment, model, created=now, node=ENROLLED_NODE, baseline=baseline)
    library.add([reference])
    calibrate_library(*calibration, model, library)
    verdicts = identify(minutes, model, library, persistence=persistence, baseline=Baseline.intervals(idle))
    scored = with_truth(verdicts, minutes, start + HOUR + MAX_LAG * timedelta(minutes=1), model)
    shares, counts = {}, {}
    for node in NODES:
        attacked = scored.filter((pl.col("node") == node) & (pl.col("truth") == CONDITION))
        counts[node] = len(attacked)
        shares[node] = int((attacked["condition"] == CONDITION).sum()) / max(len(attacked), 1)
    others = identify(other_minutes, model, library, persistence=persistence)
    false_alarms = int((others["condition"] == CONDITION).sum())
    return Recognition(scored, reference, shares, counts, false_alarms, model.manifest.interval_us)


def idle_before(minutes: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """IDLE minutes without traffic before the first minute of each node: counts are 0, other features null."""
    values = {feature.name: 0.0 if feature.kind == "count" else None for feature in catalogue.features}
    frames = []
    for (node, network), rows in minutes.group_by("node", "network", maintain_order=True):
        first = _first(rows)
        values_of_row: Mapping[str, Any] = {"node": node, "network": network, "observed": 1.0, **values}
        frames.append(
            pl.DataFrame(
                [{**values_of_row, "minute": first - number * timedelta(minutes=1)} for number in range(IDLE, 0, -1)],
                schema=minutes.schema,
            )
        )
    return pl.concat(frames)


def with_truth(verdicts: pl.DataFrame, minutes: pl.DataFrame, enrolled_until: datetime, model: Model) -> pl.DataFrame:
    """The verdicts with a truth column: the brute force where the window holds attempts.

    Windows at the enrolled node that overlap the enrolled interval, warm-up and minutes without any traffic have no truth.
    """
    # A REGISTER without a contact counts as another request (RFC 3261, 10.2.3), and so do those of many attackers.
    attempted = pl.sum_horizontal("in.register_initial.attempts", "in.other.attempts") > 0
    attempts = minutes.select("node", "minute", attempted=attempted).sort("node", "minute")
    recent = attempts.with_columns(
        pl.col("attempted").cast(pl.Int32).rolling_sum(model.window, min_samples=1).over("node").alias("busy")
    )
    clear = (pl.col("node") != ENROLLED_NODE) | (
        pl.col("minute") >= enrolled_until + model.window * timedelta(minutes=1)
    )
    judged = ~pl.col("condition").is_in([WARMING_UP, NO_TRAFFIC])
    attacked = (pl.col("busy") > 0) & clear & judged
    idle = (pl.col("busy") == 0) & judged
    return verdicts.join(recent.select("node", "minute", "busy"), on=["node", "minute"], how="left").with_columns(
        truth=pl.when(attacked).then(pl.lit(CONDITION)).when(idle).then(pl.lit(NORMAL))
    )


def _first(minutes: pl.DataFrame) -> datetime:
    first = minutes["minute"].min()
    assert isinstance(first, datetime)
    return first
