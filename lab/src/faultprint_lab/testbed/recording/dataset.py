"""The data set: a folder made from recorded episodes; it can be extended and is checked.

It is written to a temporary folder and renamed when it is complete. Episodes that it already has are kept, even if their
transactions do not exist any more. If they do, their minutes are computed again with the current feature catalogue.
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
from faultprint_lab.testbed.plan import PlannedEpisode, RecordingPlan
from faultprint_lab.testbed.recording import datacard, timeline
from faultprint_lab.testbed.recording.episode import REPORT, node_name
from faultprint_lab.testbed.recording.episode_tables import EpisodeTables, load_episode
from faultprint_lab.testbed.recording.failure import EpisodeFailure
from faultprint_lab.testbed.recording.split import split
from faultprint_lab.testbed.recording.verification import (
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


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Content of a data set: numbers of episodes, missing episodes, minutes, networks and bytes, and the failures."""

    out: str
    episodes: int
    missing: int
    minutes: int
    networks: int
    bytes: int
    failures: tuple[EpisodeFailure, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report for --json."""
        return asdict(self)


def raw_folder(out: Path) -> Path:
    """Default folder of the recorded episodes of a data set."""
    return out.with_name(f"{out.name}-raw")


def available_episodes(plan: RecordingPlan, out: Path, raw: Path) -> set[str]:
    """Names of the episodes that need no recording.

    Raises UsageError or TableError if `out` is damaged, is no data set, belongs to another plan, or has another feature
    catalogue and cannot be computed again. So these errors come before hours of recording.
    """
    timeline.episode_starts(plan)
    recorded = {episode.name for episode in plan.episodes if (raw / episode.name / REPORT).exists()}
    _recover(out)
    if not out.exists() or not any(out.iterdir()):
        return recorded
    if foreign := sorted({path.name for path in out.iterdir()} - set(FILES)):
        raise UsageError(f"{out} has a file {foreign[0]!r} that is no part of a data set; choose another folder.")
    if not (out / PLAN).exists() or (out / PLAN).read_text() != plan.text:
        raise UsageError(f"{out} has the data set of another plan; choose another folder, or use the plan.toml in it.")
    checksums(out)
    held = set(_entries(out))
    if held - recorded:
        verify(out)
    return held | recorded


def load_recorded(plan: RecordingPlan, episode: PlannedEpisode, folder: Path) -> EpisodeTables:
    """Load a recorded episode for the data set. Raises UsageError or TableError if it cannot be used."""
    return load_episode(episode, folder, timeline.episode_starts(plan)[episode.name])


def assemble(plan: RecordingPlan, out: Path, raw: Path, failures: Iterable[EpisodeFailure] = ()) -> DatasetReport:
    """Make the data set `out` from the episodes in `raw` and those that it already has.

    `failures` is added to its list of failures. Raises UsageError if there is no episode.
    """
    _recover(out)
    failed = {failure.episode: failure for failure in (*_failures(out), *failures)}
    kept = _held_episodes(
        plan, out, {episode.name for episode in plan.episodes if not (raw / episode.name / REPORT).exists()}
    )
    parts: dict[str, EpisodeTables] = {}
    for episode in plan.episodes:
        if episode.name in kept:
            parts[episode.name] = kept[episode.name]
        elif (raw / episode.name / REPORT).exists():
            try:
                parts[episode.name] = load_recorded(plan, episode, raw / episode.name)
            except FaultprintError as error:
                failed[episode.name] = EpisodeFailure(episode.name, 0, str(error))
    if not parts:
        reason = next((f": {failure.reason}" for failure in failed.values()), ".")
        raise UsageError(f"No episode of the plan has been recorded, so there is no data set{reason}")
    remaining = [
        failed[episode.name] for episode in plan.episodes if episode.name in failed and episode.name not in parts
    ]
    making = _sibling(out, "making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        _write(plan, making, parts, remaining)
        summary = verify(making)
        _swap(making, out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.iterdir())
    return DatasetReport(
        str(out),
        len(parts),
        len(plan.episodes) - len(parts),
        summary["minutes"],
        summary["networks"],
        size,
        tuple(remaining),
    )


def _held_episodes(plan: RecordingPlan, out: Path, wanted: set[str]) -> dict[str, EpisodeTables]:
    """The episodes of `wanted` that the data set already has."""
    wanted &= set(_entries(out))
    if not wanted:
        return {}
    minutes, labels = read_minutes(out / MINUTES).frame, storage.read(out / LABELLED, LABELS)
    starts, entries = timeline.episode_starts(plan), _entries(out)
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
        parts[episode.name] = EpisodeTables(rows[0], rows[1], entries[episode.name])
    return parts


def _entries(out: Path) -> dict[str, Mapping[str, Any]]:
    path = out / EPISODES
    return {entry["episode"]: entry for entry in json.loads(path.read_text())["episodes"]} if path.exists() else {}


def _failures(out: Path) -> list[EpisodeFailure]:
    path = out / EPISODES
    return [EpisodeFailure(**entry) for entry in json.loads(path.read_text())["failures"]] if path.exists() else []


def _write(
    plan: RecordingPlan, folder: Path, parts: Mapping[str, EpisodeTables], failures: Sequence[EpisodeFailure]
) -> None:
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
    (folder / README).write_text(datacard.render(plan, entries, failures, minutes, labels))
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES if name != CHECKSUMS
    ]
    (folder / CHECKSUMS).write_text("".join(lines))


def _versions(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each combination of software versions, with its number of episodes."""
    counted: dict[str, int] = {}
    for entry in entries:
        key = json.dumps(entry["versions"], sort_keys=True)
        counted[key] = counted.get(key, 0) + 1
    return [{**json.loads(key), "episodes": count} for key, count in counted.items()]


# Replacing a folder


def _sibling(out: Path, suffix: str) -> Path:
    return out.with_name(f".{out.name}.{suffix}")


def _swap(making: Path, out: Path) -> None:
    old = _sibling(out, "old")
    if out.exists():
        out.replace(old)
    making.replace(out)
    shutil.rmtree(old, ignore_errors=True)


def _recover(out: Path) -> None:
    """Restore the old folder if the process was killed during `_swap`."""
    old = _sibling(out, "old")
    if old.exists() and not out.exists():
        old.replace(out)
    shutil.rmtree(old, ignore_errors=True)
