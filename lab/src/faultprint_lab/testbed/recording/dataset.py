"""The data set: a folder made of recorded episodes, extended by more of them, and checked.

It is made beside its place and moved there whole. What it already holds is kept, whether or not the episodes' own
transactions still exist; where they do, their minutes are made anew, so that they follow today's catalogue.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from faultprint import storage
from faultprint.errors import FaultprintError, UsageError
from faultprint.features.minutes import read_minutes, write_minutes
from faultprint.tables import LABELS
from faultprint_lab.testbed.plan import PlannedEpisode, TestbedPlan
from faultprint_lab.testbed.recording import datacard, timeline
from faultprint_lab.testbed.recording.dataset_check import (
    CHECKSUMS,
    EPISODES,
    FILES,
    LABELLED,
    MINUTES,
    PLAN,
    README,
    SPLIT,
    VERSIONS,
    checksums,
    verify,
)
from faultprint_lab.testbed.recording.episode import REPORT, node_name
from faultprint_lab.testbed.recording.raw import Part, load
from faultprint_lab.testbed.recording.split import split


@dataclass(frozen=True, slots=True)
class Failure:
    """An episode that could not be recorded, and why."""

    episode: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class DataSetReport:
    """What a data set holds."""

    out: str
    episodes: int
    missing: int
    minutes: int
    networks: int
    bytes: int
    failures: tuple[Failure, ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def raw_folder(out: Path) -> Path:
    """Where the episodes of a data set are kept as they were recorded."""
    return out.with_name(f"{out.name}-raw")


def done(plan: TestbedPlan, out: Path, raw: Path) -> set[str]:
    """Names of the episodes that need not be recorded any more.

    Raises UsageError or TableError where `out` is damaged, is no data set or one of another plan, or follows another
    catalogue and cannot be made anew: before hours of recording, not after them.
    """
    timeline.starts(plan)
    recorded = {episode.name for episode in plan.episodes if (raw / episode.name / REPORT).exists()}
    _recover(out)
    if not out.exists() or not any(out.iterdir()):
        return recorded
    if foreign := sorted({path.name for path in out.iterdir()} - set(FILES)):
        raise UsageError(f"{out} holds {foreign[0]!r}, which is no part of a data set; choose another folder.")
    if not (out / PLAN).exists() or (out / PLAN).read_text() != plan.text:
        raise UsageError(f"{out} holds the data set of another plan; choose another folder, or use its own plan.toml.")
    checksums(out)
    held = set(_entries(out))
    if held - recorded:
        verify(out)
    return held | recorded


def from_raw(plan: TestbedPlan, episode: PlannedEpisode, folder: Path) -> Part:
    """A recorded episode as the data set holds it. Raises UsageError or TableError where it cannot be used."""
    return load(episode, folder, timeline.starts(plan)[episode.name])


def assemble(plan: TestbedPlan, out: Path, raw: Path, failures: Iterable[Failure] = ()) -> DataSetReport:
    """Make the data set `out` of the episodes in `raw` and those that it already holds; `failures` joins its own.

    Raises UsageError where there is no episode at all.
    """
    _recover(out)
    failed = {failure.episode: failure for failure in (*_failures(out), *failures)}
    kept = _kept(plan, out, {one.name for one in plan.episodes if not (raw / one.name / REPORT).exists()})
    parts: dict[str, Part] = {}
    for episode in plan.episodes:
        if episode.name in kept:
            parts[episode.name] = kept[episode.name]
        elif (raw / episode.name / REPORT).exists():
            try:
                parts[episode.name] = from_raw(plan, episode, raw / episode.name)
            except FaultprintError as error:
                failed[episode.name] = Failure(episode.name, 0, str(error))
    if not parts:
        reason = next((f": {failure.reason}" for failure in failed.values()), ".")
        raise UsageError(f"No episode of the plan has been recorded, so there is no data set to make{reason}")
    remaining = [failed[one.name] for one in plan.episodes if one.name in failed and one.name not in parts]
    making = _beside(out, "making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        _write(plan, making, parts, remaining)
        summary = verify(making)
        _swap(making, out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.iterdir())
    return DataSetReport(
        str(out),
        len(parts),
        len(plan.episodes) - len(parts),
        summary["minutes"],
        summary["networks"],
        size,
        tuple(remaining),
    )


def _kept(plan: TestbedPlan, out: Path, wanted: set[str]) -> dict[str, Part]:
    """Those episodes of `wanted` that the data set holds, as parts."""
    wanted &= set(_entries(out))
    if not wanted:
        return {}
    minutes, labels = read_minutes(out / MINUTES).frame, storage.read(out / LABELLED, LABELS)
    starts, entries = timeline.starts(plan), _entries(out)
    parts = {}
    for episode in plan.episodes:
        if episode.name not in wanted:
            continue
        begin, node = starts[episode.name], node_name(episode.network)
        end = begin + round(episode.length * 1e6)
        rows = [
            frame.filter(pl.col("node") == node, pl.col(key).dt.epoch("us").is_between(begin, end, closed="left"))
            for frame, key in ((minutes, "minute"), (labels, "start"))
        ]
        parts[episode.name] = Part(rows[0], rows[1], entries[episode.name])
    return parts


def _entries(out: Path) -> dict[str, Mapping[str, Any]]:
    path = out / EPISODES
    return {entry["episode"]: entry for entry in json.loads(path.read_text())["episodes"]} if path.exists() else {}


def _failures(out: Path) -> list[Failure]:
    path = out / EPISODES
    return [Failure(**one) for one in json.loads(path.read_text())["failures"]] if path.exists() else []


def _write(plan: TestbedPlan, folder: Path, parts: Mapping[str, Part], failures: Sequence[Failure]) -> None:
    minutes = pl.concat([part.minutes for part in parts.values()]).sort("node", "minute")
    labels = pl.concat([part.labels for part in parts.values()]).sort("node", "start")
    write_minutes(minutes, folder / MINUTES)
    storage.write(labels, LABELS, folder / LABELLED)
    (folder / PLAN).write_text(plan.text)
    entries = [dict(part.entry) for part in parts.values()]
    listed = {"episodes": entries, "failures": [asdict(failure) for failure in failures]}
    (folder / EPISODES).write_text(json.dumps(listed, indent=1) + "\n")
    (folder / VERSIONS).write_text(json.dumps(_versions(entries), indent=1) + "\n")
    (folder / SPLIT).write_text(split(plan))
    (folder / README).write_text(datacard.write(plan, entries, failures, minutes, labels))
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES if name != CHECKSUMS
    ]
    (folder / CHECKSUMS).write_text("".join(lines))


def _versions(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each set of versions that recorded, with the number of its episodes."""
    counted: dict[str, int] = {}
    for entry in entries:
        key = json.dumps(entry["versions"], sort_keys=True)
        counted[key] = counted.get(key, 0) + 1
    return [{**json.loads(key), "episodes": count} for key, count in counted.items()]


# A folder that takes another's place


def _beside(out: Path, word: str) -> Path:
    return out.with_name(f".{out.name}.{word}")


def _swap(making: Path, out: Path) -> None:
    old = _beside(out, "old")
    if out.exists():
        out.replace(old)
    making.replace(out)
    shutil.rmtree(old, ignore_errors=True)


def _recover(out: Path) -> None:
    """Put back what `_swap` had put aside when it was killed."""
    old = _beside(out, "old")
    if old.exists() and not out.exists():
        old.replace(out)
    shutil.rmtree(old, ignore_errors=True)
