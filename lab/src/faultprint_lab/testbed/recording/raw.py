"""One recorded episode as the data set holds it: its minutes and labels, moved to data time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.features import coverage
from faultprint.features.minutes import minutes
from faultprint.tables import LABELS, TRANSACTIONS
from faultprint_lab.testbed.plan import PlannedEpisode
from faultprint_lab.testbed.recording import episode as recorded

SLACK_US: Final = 1_000_000
"""How much longer or shorter than planned a recording may be; what is over is cut, what is missing is a millisecond."""
_MOMENTS: Final = ("start", "provisional", "ringing", "completion")
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
class Part:
    """One episode of a data set: rows of its two tables, and its entry in episodes.json."""

    minutes: pl.DataFrame
    labels: pl.DataFrame
    entry: Mapping[str, Any]


def load(episode: PlannedEpisode, folder: Path, start_us: int) -> Part:
    """The episode recorded in `folder`, moved so that its first labelled moment is `start_us`.

    Minutes are made of all transactions, those of the settling included, so that what was open when the labels begin
    is known; only minutes with labels are kept. Raises UsageError where the report is damaged, or the recording is not as
    long as planned.
    """
    report = _report(folder / recorded.REPORT)
    length_us = round(episode.length * 1e6)
    end_us, shift = start_us + length_us, start_us - int(report["start_us"])
    if abs(int(report["end_us"]) - int(report["start_us"]) - length_us) > SLACK_US:
        raise UsageError(
            f"{folder} lasted {report['end_us'] - report['start_us']} µs, not {length_us}; record it again."
        )
    moved = [(pl.col(name).dt.epoch("us") + shift).cast(_DATETIME).alias(name) for name in _MOMENTS]
    path = folder / recorded.TRANSACTIONS
    transactions = storage.read(path, TRANSACTIONS).with_columns(moved)
    begun = pl.col("start").dt.epoch("us")
    (heard,) = coverage.read(path) or ()
    stretch = heard._replace(start_us=heard.start_us + shift, end_us=end_us)
    table = minutes(transactions.filter(begun < end_us).lazy(), [stretch])
    since = pl.col("minute").dt.epoch("us")
    labels = _labels(storage.read(folder / recorded.LABELLED, LABELS), shift, end_us)
    return Part(table.filter(since >= start_us, since < end_us), labels, _entry(episode, report, start_us))


def _report(path: Path) -> Mapping[str, Any]:
    try:
        report: Mapping[str, Any] = json.loads(path.read_text())
        if lacking := [name for name in _REPORTED if name not in report]:
            raise ValueError(f"it lacks {lacking[0]!r}")
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no report of an episode ({error}); record it again.") from None
    return report


def _labels(labels: pl.DataFrame, shift: int, end_us: int) -> pl.DataFrame:
    """Moved, and ending exactly at `end_us`."""
    moved = labels.sort("start").with_columns(pl.col("start", "end").dt.epoch("us") + shift)
    inside = moved.filter(pl.col("start") < end_us)
    last = pl.int_range(pl.len()) == pl.len() - 1
    exact = inside.with_columns(pl.when(last).then(end_us).otherwise("end").alias("end"))
    return exact.with_columns(pl.col("start", "end").cast(_DATETIME))


def _entry(episode: PlannedEpisode, report: Mapping[str, Any], start_us: int) -> dict[str, Any]:
    probe = {key: value for key, value in report["probe"].items() if key not in ("nodes", "coverage")}
    return {
        "episode": episode.name,
        "network": episode.network,
        "start": moment(start_us),
        "length": episode.length,
        "faults": [asdict(strike) for strike in episode.faults],
        "recorded": moment(int(report["start_us"])),
        "attempt": report["attempt"],
        "seed": report["seed"],
        "registered_s": report["registered_s"],
        "probe": probe,
        "handsets": report["load"],
        "machine": report["machine"],
        "versions": report["versions"],
    }


def moment(us: int) -> str:
    """µs since 1970 in ISO 8601."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat()
