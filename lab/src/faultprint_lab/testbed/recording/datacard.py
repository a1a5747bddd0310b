"""The data card: the README.md of a data set, generated from its content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import polars as pl

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.tables import LABELS, MINUTES, NORMAL, RECOVERY
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan
from faultprint_lab.testbed.recording.failure import EpisodeFailure
from faultprint_lab.testbed.recording.timeline import FIRST_DAY


def render(
    plan: RecordingPlan,
    entries: Sequence[Mapping[str, Any]],
    failures: Sequence[EpisodeFailure],
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
) -> str:
    """The card in Markdown."""
    return "\n".join(
        [
            *_head(entries, minutes, labels),
            *_faults(entries, labels),
            *_networks(plan, entries),
            *_columns(),
            *_recording(entries),
            *_limitations(failures),
        ]
    )


def _head(entries: Sequence[Mapping[str, Any]], minutes: pl.DataFrame, labels: pl.DataFrame) -> list[str]:
    free = sum(entry["length"] for entry in entries if not entry["faults"]) / 3600
    hours = _hours(labels)
    return [
        "# Recordings of a real IMS: labelled minutes of a P-CSCF",
        "",
        f"{minutes.height / 60:.1f} network-hours of {minutes['network'].n_unique()} networks in {len(entries)} episodes;",
        f"{free:.1f} hours are episodes without a fault. By label: normal {hours.get(NORMAL, 0):.1f} h, recovery",
        f"{hours.get(RECOVERY, 0):.1f} h, faults {sum(hours.values()) - hours.get(NORMAL, 0) - hours.get(RECOVERY, 0):.1f} h.",
        "",
        "Made by `faultprint testbed record`, checked by `faultprint testbed verify`. Files: `minutes.parquet`,",
        "`labels.parquet`, `plan.toml` (to repeat the recording), `episodes.json` (origin and counters of each episode, and",
        "failed episodes), `split.toml` (networks to train, to choose settings, to report), `versions.json`, `SHA256SUMS`.",
        "",
    ]


def _hours(labels: pl.DataFrame) -> dict[str, float]:
    duration = (pl.col("end") - pl.col("start")).dt.total_microseconds().sum() / 3.6e9
    hours = labels.group_by(pl.col("condition").cast(pl.String)).agg(duration.alias("hours"))
    return dict(hours.iter_rows())


def _faults(entries: Sequence[Mapping[str, Any]], labels: pl.DataFrame) -> list[str]:
    hours = _hours(labels)
    severities: dict[str, list[float]] = defaultdict(list)
    networks: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for event in entry["faults"]:
            severities[event["fault"]].append(event["severity"])
            networks[event["fault"]].add(entry["network"])
    rows = [
        f"| {name} | {len(severities[name])} | {len(networks[name])} | {hours.get(name, 0):.2f} | "
        f"{', '.join(f'{severity:g}' for severity in sorted(severities[name]))} | {FAULTS[name].severity} |"
        for name in FAULTS
        if severities[name]
    ]
    return [
        "## Faults",
        "",
        "| fault | episodes | networks | hours | severities | meaning of the severity |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _networks(plan: RecordingPlan, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for name, network in plan.networks.items():
        recorded = [entry for entry in entries if entry["network"] == name]
        if recorded:
            hours = sum(entry["length"] for entry in recorded) / 3600
            rows.append(
                f"| {name} | {hours:.1f} | {min(entry['start'] for entry in recorded)[:16]} | {network.subscribers} | "
                f"{network.expiry} | {network.t1_ms} | {network.load.calls_per_hour * network.subscribers / 3600:.2f} |"
            )
    return [
        "## Networks",
        "",
        "`plan.toml` has all their parameters.",
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
        f"of catalogue `{SIP_CATALOGUE.name}` ({SIP_CATALOGUE.hash[:12]}…; docs/reference/features.md). "
        f"`labels.parquet`: {', '.join(f'`{name}`' for name in LABELS.names)}.",
        "",
        f"Times are **data time**, UTC: the episodes of a network follow one another from {FIRST_DAY:%Y-%m-%d} on, and start at",
        "the hour of the day of their load. All time stamps of an episode were shifted by the same number of microseconds.",
        "The real time of the recording is `recorded` in `episodes.json`.",
        "",
    ]


def _recording(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    machine = [entry["machine"] for entry in entries]
    retried = sum(entry["attempt"] > 1 for entry in entries)
    return [
        "## Recording",
        "",
        "Each episode runs on a new bed in network namespaces of one machine: Kamailio as P-CSCF, I-CSCF and S-CSCF, an HSS,",
        "a PCRF, a DNS server, an application server, and one handset per subscriber (docs/science/testbed.md). Many beds run",
        "in parallel, each in real time. Before the labels start, all handsets are registered and the number of calls is",
        "stable. The probe listens live on the interfaces of the P-CSCF; no packets are stored. The labels are the times of",
        "the fault injector.",
        "",
        f"Recorded from {min(entry['recorded'] for entry in entries)[:16]} to "
        f"{max(entry['recorded'] for entry in entries)[:16]} UTC. {retried} episodes needed more than one attempt. The",
        "probe lost no packets: an episode with a lost packet is recorded again. Load of the machine during the episodes:",
        f"median {median(load['busy'] for load in machine):.0%} busy (maximum {max(load['busy'] for load in machine):.0%}); "
        f"some process waited for a CPU in {median(load['stalled'] for load in machine):.0%} of the time (maximum "
        f"{max(load['stalled'] for load in machine):.0%}).",
        "",
    ]


def _limitations(failures: Sequence[EpisodeFailure]) -> list[str]:
    lost = [f"- Not recorded: {failure.episode} ({failure.reason})" for failure in failures]
    return [
        "## Known limitations",
        "",
        "- Boundaries: each episode starts with a new bed and new handsets. Calls of the previous bed do not end, and slow",
        "  effects such as back-off start from zero. A window across a boundary mixes two beds of the same network. A missing",
        "  episode is a gap in the minutes.",
        "- Few subscribers and little traffic: about 1 registration and 0.5 calls a second. Minutes are noisier than those of",
        "  a large operator.",
        "- One fault at a time, with a clear start and end. The recovery is the following two to three minutes.",
        "- The beds share a machine, so one bed may slow another one down for milliseconds.",
        "- SIP Digest over UDP; no AKA or IPsec, no media, no roaming, one P-CSCF, no calls from other networks. More in",
        "  docs/science/testbed.md, “Differences from an operator's network”.",
        *lost,
        "",
    ]
