"""Check the folder of a data set."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.features.minutes import read_minutes
from faultprint.tables import LABELS

MINUTES: Final = "minutes.parquet"
LABELLED: Final = "labels.parquet"
PLAN: Final = "plan.toml"
EPISODES: Final = "episodes.json"
SPLIT: Final = "split.toml"
VERSIONS: Final = "versions.json"
README: Final = "README.md"
CHECKSUMS: Final = "SHA256SUMS"
FILES: Final = (README, PLAN, MINUTES, LABELLED, EPISODES, SPLIT, VERSIONS, CHECKSUMS)
"""The files of a data set; it has no others."""


def verify(folder: Path) -> dict[str, Any]:
    """Check a data set: checksums, schemas, a split of all networks, and labels for all minutes.

    Returns counts. Raises UsageError or TableError with the first problem.
    """
    checksums(folder)
    minutes = read_minutes(folder / MINUTES).frame
    labels = storage.read(folder / LABELLED, LABELS)
    networks = minutes.get_column("network").unique().cast(pl.String).sort().to_list()
    _split(folder, networks)
    _labels(folder, minutes, labels)
    entries = json.loads((folder / EPISODES).read_text())["episodes"]
    seconds = sum(entry["length"] for entry in entries)
    if round(seconds / 60) != minutes.height:
        raise UsageError(f"{folder}: {len(entries)} episodes of {seconds:g} s do not make {minutes.height} minutes.")
    return {
        "episodes": len(entries),
        "minutes": minutes.height,
        "networks": len(networks),
        "conditions": labels.get_column("condition").n_unique(),
    }


def checksums(folder: Path) -> None:
    """Raises UsageError if a file of a data set is missing or has changed."""
    if not (folder / CHECKSUMS).is_file():
        raise UsageError(f"{folder} is no data set: it has no {CHECKSUMS}.")
    lines = (folder / CHECKSUMS).read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in FILES:
        if name == CHECKSUMS:
            continue
        if name not in listed or not (folder / name).is_file():
            raise UsageError(f"{folder} lacks {name}, or its checksum; get the data set again.")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != listed[name]:
            raise UsageError(f"{folder / name} has changed: its checksum differs; get the data set again.")


def _split(folder: Path, networks: list[str]) -> None:
    sides = tomllib.loads((folder / SPLIT).read_text())["networks"]
    assigned = [name for names in sides.values() for name in names]
    for name in networks:
        if assigned.count(name) != 1:
            raise UsageError(
                f"{folder / SPLIT}: network {name!r} is on {assigned.count(name)} sides of the split, but must be on one."
            )


def _labels(folder: Path, minutes: pl.DataFrame, labels: pl.DataFrame) -> None:
    """Check that labels do not overlap and cover every minute."""
    for (node,), rows in minutes.partition_by("node", as_dict=True).items():
        node_labels = labels.filter(pl.col("node") == node).sort("start")
        start = node_labels.get_column("start").dt.epoch("us").to_numpy()
        end = node_labels.get_column("end").dt.epoch("us").to_numpy()
        if (end <= start).any() or (start[1:] < end[:-1]).any():
            raise UsageError(f"{folder / LABELLED}: labels of {node} overlap or are empty.")
        begin = rows.get_column("minute").dt.epoch("us").to_numpy()
        covered = sum(
            (end[:, None].clip(max=begin + 60_000_000) - start[:, None].clip(min=begin)).clip(min=0), start=begin * 0
        )
        if (covered != 60_000_000).any():
            first = rows.get_column("minute")[int((covered != 60_000_000).argmax())]
            raise UsageError(f"{folder / LABELLED}: minute {first} of {node} is not covered by labels.")
