"""The demo's second part: a real capture of a registration brute force, taught from its first hour.

The capture holds the attack and nothing else, at two servers. Nobody can know what is normal there, so an idle hour is
put before it: sixty minutes in which somebody listened and nothing came. That is said wherever the result is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.cases.calibration import calibrate_library
from faultprint.cases.enrol import MAX_LAG, Enrolment, enrol
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.embedding.model import Model
from faultprint.features.catalogue import Catalogue
from faultprint.features.minutes import build
from faultprint.probe.capture.run import NodeSpec, probe_captures
from faultprint.tables import MINUTES, NORMAL, WARMING_UP

CONDITION: Final = "registration-brute-force"
TEACHER: Final = "server-1"
NODES: Final = {TEACHER: "138.167.116.102", "server-2": "137.11.220.89"}
"""The servers in initconf/sip-attacks SIP-Bruteforce-Single-IP.pcap that answer the attacker."""
IDLE: Final = 60
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was said of the capture: verdicts with a `truth` column, and by node the share of minutes named right.

    `alarms` counts the unseen networks' minutes that are called the brute force, which they are not.
    """

    scored: pl.DataFrame
    reference: Reference
    shares: dict[str, float]
    minutes: dict[str, int]
    alarms: int
    interval_us: int

    def lines(self) -> list[str]:
        """In words."""
        said = [
            f"A real capture of a registration brute force at two servers ({', '.join(NODES.values())}): "
            f"{sum(self.minutes.values())} scored minutes. It holds nothing but the attack, so that the servers' "
            "normal traffic is not known: an idle hour, put before the capture, stands for it.",
            f"Taught: one reference, from the first hour at {TEACHER} ({self.reference.windows} windows), beside the "
            "references of the simulated faults that were there already; then the thresholds were set anew.",
        ]
        for node, share in self.shares.items():
            what = "the rest of the attack" if node == TEACHER else "the whole attack, of which nothing was taught,"
            said.append(f"{node}: {what} is named {CONDITION} in {share:.0%} of {self.minutes[node]} minutes.")
        said.append(
            f"The simulated network, asked again with this reference in the library, is called {CONDITION} in "
            f"{self.alarms} minutes."
        )
        return said


def recognise(
    capture: Path,
    model: Model,
    library: Library,
    elsewhere: pl.DataFrame,
    kept: tuple[pl.DataFrame, pl.DataFrame],
    folder: Path,
    *,
    key: bytes,
    persistence: int,
    now: datetime,
) -> Recognition:
    """Teach the brute force from the capture's first hour at one server, and name it in the rest and at the other.

    The reference is added to the library, and the library calibrated anew on `kept`, the MINUTES and LABELS of networks
    that taught nothing: a case that lies close to normal asks for stricter thresholds. `elsewhere`: MINUTES without such
    an attack. Leaves transactions and minutes in `folder`. Raises CaptureError, and as `cases.enrol`,
    `cases.calibration` and `cases.identify` do.
    """
    transactions, path = folder / "capture.transactions.parquet", folder / "capture.minutes.parquet"
    nodes = [NodeSpec.parse(f"{name}={address}") for name, address in NODES.items()]
    probe_captures([capture], transactions, nodes=nodes, network="capture", key=key)
    build(transactions, path)
    seen = storage.read(path, MINUTES)
    minutes = pl.concat([idle_before(seen, model.catalogue), seen]).sort("node", "minute")
    begins = {str(node): _first(rows) for (node,), rows in seen.group_by("node")}
    # Named, for a silent hour is not what a node's normal is taken for otherwise.
    idle = {node: (first - IDLE * timedelta(minutes=1), first) for node, first in begins.items()}
    begin = begins[TEACHER]
    lesson = Enrolment(CONDITION, (begin, begin + HOUR), f"first hour of {capture.name}")
    reference = enrol(minutes, lesson, model, created=now, node=TEACHER, normal=idle[TEACHER])
    library.add([reference])
    calibrate_library(*kept, model, library)
    verdicts = identify(minutes, model, library, persistence=persistence, normal=idle)
    scored = with_truth(verdicts, minutes, begin + HOUR + MAX_LAG * timedelta(minutes=1), model)
    shares, counts = {}, {}
    for node in NODES:
        asked = scored.filter((pl.col("node") == node) & (pl.col("truth") == CONDITION))
        counts[node] = len(asked)
        shares[node] = int((asked["condition"] == CONDITION).sum()) / max(len(asked), 1)
    others = identify(elsewhere, model, library, persistence=persistence)
    alarms = int((others["condition"] == CONDITION).sum())
    return Recognition(scored, reference, shares, counts, alarms, model.manifest.interval_us)


def idle_before(minutes: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """IDLE minutes without traffic before each node's first: counts are 0, what has no denominator is null."""
    values = {feature.name: 0.0 if feature.kind == "count" else None for feature in catalogue.features}
    frames = []
    for (node, network), rows in minutes.group_by("node", "network", maintain_order=True):
        first = _first(rows)
        known: Mapping[str, Any] = {"node": node, "network": network, "observed": 1.0, **values}
        frames.append(
            pl.DataFrame(
                [{**known, "minute": first - number * timedelta(minutes=1)} for number in range(IDLE, 0, -1)],
                schema=minutes.schema,
            )
        )
    return pl.concat(frames)


def with_truth(verdicts: pl.DataFrame, minutes: pl.DataFrame, taught_until: datetime, model: Model) -> pl.DataFrame:
    """The verdicts with a truth: the brute force where the window holds attempts and, at the teacher, none of the lesson."""
    attempts = minutes.select("node", "minute", calls=pl.col("in.register_initial.attempts") > 0).sort("node", "minute")
    recent = attempts.with_columns(
        pl.col("calls").cast(pl.Int32).rolling_sum(model.window, min_samples=1).over("node").alias("busy")
    )
    clear = (pl.col("node") != TEACHER) | (pl.col("minute") >= taught_until + model.window * timedelta(minutes=1))
    attacked = (pl.col("busy") > 0) & clear & (pl.col("condition") != WARMING_UP)
    idle = (pl.col("busy") == 0) & (pl.col("condition") != WARMING_UP)
    return verdicts.join(recent.select("node", "minute", "busy"), on=["node", "minute"], how="left").with_columns(
        truth=pl.when(attacked).then(pl.lit(CONDITION)).when(idle).then(pl.lit(NORMAL))
    )


def _first(minutes: pl.DataFrame) -> datetime:
    found = minutes["minute"].min()
    assert isinstance(found, datetime)
    return found
