"""The data card: README.md of a data set, written from what it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import LABELS, MINUTES, NORMAL, RECOVERY
from faultprint_lab.testbed.faults.faults import FAULTS
from faultprint_lab.testbed.plan import TestbedPlan
from faultprint_lab.testbed.recording.timeline import FIRST_DAY

if TYPE_CHECKING:
    from faultprint_lab.testbed.recording.dataset import Failure


def write(
    plan: TestbedPlan,
    entries: Sequence[Mapping[str, Any]],
    failures: Sequence[Failure],
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
) -> str:
    """The card's Markdown."""
    return "\n".join(
        [
            *_head(entries, minutes, labels),
            *_faults(entries, labels),
            *_networks(plan, entries),
            *_columns(),
            *_recording(entries),
            *_flaws(failures),
        ]
    )


def _head(entries: Sequence[Mapping[str, Any]], minutes: pl.DataFrame, labels: pl.DataFrame) -> list[str]:
    free = sum(entry["length"] for entry in entries if not entry["faults"]) / 3600
    hours = _hours(labels)
    return [
        "# A real IMS, recorded: minutes of a P-CSCF, with labels",
        "",
        f"{minutes.height / 60:.1f} network-hours of {minutes['network'].n_unique()} networks in {len(entries)} episodes;",
        f"{free:.1f} hours are episodes without a fault. By label: normal {hours.get(NORMAL, 0):.1f} h, recovery",
        f"{hours.get(RECOVERY, 0):.1f} h, faults {sum(hours.values()) - hours.get(NORMAL, 0) - hours.get(RECOVERY, 0):.1f} h.",
        "",
        "Made by `faultprint testbed record`, checked by `faultprint testbed verify`. Files: `minutes.parquet`,",
        "`labels.parquet`, `plan.toml` (with which it can be recorded again), `episodes.json` (each episode's origin and",
        "counts, and those that failed), `split.toml` (who trains, chooses, reports), `versions.json`, `SHA256SUMS`.",
        "",
    ]


def _hours(labels: pl.DataFrame) -> dict[str, float]:
    lasting = (pl.col("end") - pl.col("start")).dt.total_microseconds().sum() / 3.6e9
    found = labels.group_by(pl.col("condition").cast(pl.String)).agg(lasting.alias("hours"))
    return dict(found.iter_rows())


def _faults(entries: Sequence[Mapping[str, Any]], labels: pl.DataFrame) -> list[str]:
    hours = _hours(labels)
    severities: dict[str, list[float]] = defaultdict(list)
    where: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for strike in entry["faults"]:
            severities[strike["fault"]].append(strike["severity"])
            where[strike["fault"]].add(entry["network"])
    rows = [
        f"| {name} | {len(severities[name])} | {len(where[name])} | {hours.get(name, 0):.2f} | "
        f"{', '.join(f'{one:g}' for one in sorted(severities[name]))} | {FAULTS[name].severity} |"
        for name in FAULTS
        if severities[name]
    ]
    return [
        "## Faults",
        "",
        "| fault | episodes | networks | hours | severities | what severity is |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _networks(plan: TestbedPlan, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for name, network in plan.networks.items():
        own = [entry for entry in entries if entry["network"] == name]
        if own:
            hours = sum(entry["length"] for entry in own) / 3600
            rows.append(
                f"| {name} | {hours:.1f} | {min(entry['start'] for entry in own)[:16]} | {network.subscribers} | "
                f"{network.expiry} | {network.t1_ms} | {network.load.calls_per_hour * network.subscribers / 3600:.2f} |"
            )
    return [
        "## Networks",
        "",
        "All that differs between them is in `plan.toml`.",
        "",
        "| network | hours | from | subscribers | expiry, s | T1, ms | calls/s at the peak |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _columns() -> list[str]:
    return [
        "## Columns",
        "",
        f"`minutes.parquet`: {', '.join(f'`{name}`' for name in MINUTES.names)}, then {len(SIP_CATALOGUE)} float32 features",
        f"of catalogue `{SIP_CATALOGUE.name}` ({SIP_CATALOGUE.hash[:12]}…; docs/features.md). "
        f"`labels.parquet`: {', '.join(f'`{name}`' for name in LABELS.names)}.",
        "",
        f"Times are **data time**, UTC: a network's episodes are laid end to end from {FIRST_DAY:%Y-%m-%d} on, beginning at",
        "the hour of the day that their load stands for. All time stamps of an episode were moved by one whole number of",
        "microseconds; nothing was stretched or compressed. When it really happened is `recorded` in `episodes.json`.",
        "",
    ]


def _recording(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    machine = [entry["machine"] for entry in entries]
    again = sum(entry["attempt"] > 1 for entry in entries)
    return [
        "## How it was recorded",
        "",
        "Each episode is a fresh bed: Kamailio P-CSCF, I-CSCF and S-CSCF, an HSS, PCRF, DNS and application server, and as",
        "many handsets as the network has subscribers, in network namespaces of one machine (docs/testbed.md). Many beds ran",
        "side by side, each at real speed. Before the labels begin all handsets were registered and calls had settled. The",
        "probe listened live on the P-CSCF's interfaces; no packet was stored. Labels are the injector's own time stamps.",
        "",
        f"Recorded from {min(entry['recorded'] for entry in entries)[:16]} to "
        f"{max(entry['recorded'] for entry in entries)[:16]} UTC. {again} episodes needed more than one attempt. Packets that",
        "the probe lost: none; an episode with a lost packet is recorded again. The machine while episodes ran: median",
        f"{median(one['busy'] for one in machine):.0%} busy (most {max(one['busy'] for one in machine):.0%}), some process "
        f"waiting for a CPU {median(one['stalled'] for one in machine):.0%} of the time (most "
        f"{max(one['stalled'] for one in machine):.0%}).",
        "",
    ]


def _flaws(failures: Sequence[Failure]) -> list[str]:
    lost = [f"- Not recorded: {failure.episode} ({failure.reason})" for failure in failures]
    return [
        "## Known flaws",
        "",
        "- Seams: at the start of each episode another bed takes over. Handsets are others, calls of the bed before are not",
        "  ended, and the load's slow swings (who is backing off) begin anew. A window across a seam mixes two beds of the",
        "  same network. Where an episode is missing there is a gap in the minutes.",
        "- Few subscribers and a low rate: about a registration and half a call a second; minutes are noisier than a large",
        "  operator's.",
        "- One fault at a time, with clean beginning and end; recovery is what follows for two to three minutes.",
        "- Beds share a machine: what one of them needs another may lack for milliseconds.",
        "- SIP Digest, UDP, no AKA or IPsec, no media, no roaming, one P-CSCF, no calls from other networks; more in",
        "  docs/testbed.md, “What is not as in an operator's network”.",
        *lost,
        "",
    ]
