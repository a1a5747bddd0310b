"""The tables of one recorded episode for the data set: minutes and labels, shifted to data time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.features import coverage
from faultprint.features.minutes import compute_minutes
from faultprint.tables import LABELS, TRANSACTIONS
from faultprint.units import moment
from faultprint_lab.testbed.plan import PlannedEpisode
from faultprint_lab.testbed.recording import episode as recorded

SLACK_US: Final = 1_000_000
"""Allowed difference in µs between the planned and the recorded length; a longer recording is cut."""
_TIME_COLUMNS: Final = ("start", "provisional", "ringing", "completion")
_DATETIME: Final = pl.Datetime("us", "UTC")


_REPORTED: Final = (
    "start_us",
    "end_us",
    "probe",
    "attempt",
    "seed",
    "registered_s",
    "load",
    "machine",
    "versions",
)


@dataclass(frozen=True, slots=True)
class EpisodeTables:
    """One episode of a data set: its rows of both tables, and its entry in episodes.json."""

    minutes: pl.DataFrame
    labels: pl.DataFrame
    entry: Mapping[str, Any]


def load_episode(episode: PlannedEpisode, folder: Path, start_us: int) -> EpisodeTables:
    """Load the episode recorded in `folder`, shifted so that its labels start at `start_us`.

    Minutes are computed from all transactions, including the settling, so that transactions open at the first label are
    known. Only minutes with labels are kept.

    Raises UsageError if the report is damaged or the recording has another length than planned.
    """
    report = _report(folder / recorded.REPORT)
    length_us = round(episode.length * 1e6)
    end_us, shift = start_us + length_us, start_us - int(report["start_us"])
    if abs(int(report["end_us"]) - int(report["start_us"]) - length_us) > SLACK_US:
        raise UsageError(
            f"{folder} lasted {report['end_us'] - report['start_us']} µs, not {length_us}; record it again."
        )
    shifted = [(pl.col(name).dt.epoch("us") + shift).cast(_DATETIME).alias(name) for name in _TIME_COLUMNS]
    path = folder / recorded.TRANSACTIONS
    transactions = storage.read(path, TRANSACTIONS).with_columns(shifted)
    begin_us = pl.col("start").dt.epoch("us")
    (recorded_interval,) = coverage.read_coverage(path) or ()
    interval = recorded_interval._replace(start_us=recorded_interval.start_us + shift, end_us=end_us)
    table = compute_minutes(transactions.filter(begin_us < end_us).lazy(), [interval])
    minute_us = pl.col("minute").dt.epoch("us")
    labels = _labels(storage.read(folder / recorded.LABELLED, LABELS), shift, end_us)
    return EpisodeTables(
        table.filter(minute_us >= start_us, minute_us < end_us), labels, _entry(episode, report, start_us)
    )


def _report(path: Path) -> Mapping[str, Any]:
    try:
        report: Mapping[str, Any] = json.loads(path.read_text())
        if missing := [name for name in _REPORTED if name not in report]:
            raise ValueError(f"it lacks {missing[0]!r}")
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no report of an episode ({error}); record it again.") from None
    return report


def _labels(labels: pl.DataFrame, shift: int, end_us: int) -> pl.DataFrame:
    """Shift the labels and end them exactly at `end_us`."""
    shifted = labels.sort("start").with_columns(pl.col("start", "end").dt.epoch("us") + shift)
    inside = shifted.filter(pl.col("start") < end_us)
    last = pl.int_range(pl.len()) == pl.len() - 1
    exact = inside.with_columns(pl.when(last).then(end_us).otherwise("end").alias("end"))
    return exact.with_columns(pl.col("start", "end").cast(_DATETIME))


def _entry(episode: PlannedEpisode, report: Mapping[str, Any], start_us: int) -> dict[str, Any]:
    probe = {key: value for key, value in report["probe"].items() if key not in ("nodes", "coverage")}
    return {
        "episode": episode.name,
        "network": episode.network,
        "start": iso_time(start_us),
        "length": episode.length,
        "faults": [asdict(event) for event in episode.faults],
        "recorded": iso_time(int(report["start_us"])),
        "attempt": report["attempt"],
        "seed": report["seed"],
        "registered_s": report["registered_s"],
        "probe": probe,
        "handsets": report["load"],
        "machine": report["machine"],
        "versions": report["versions"],
    }


def iso_time(us: int) -> str:
    """µs since 1970 in ISO 8601."""
    return moment(us).isoformat()
