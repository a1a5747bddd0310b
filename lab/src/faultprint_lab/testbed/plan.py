"""A recording plan: a seed, networks, their episodes and the faults in them. Read from TOML and checked here.

seed = 7
[networks.coast]                  # keys: the fields of BedNetwork, and a table `load` with the fields of BedLoad
subscribers = 800
[[episodes]]                      # one new bed each; the episodes of a network follow one another
network = "coast"
length = 1800                     # seconds of recording
[[episodes.faults]]
fault = "hss-link-down"
start = 600                       # seconds from the start of the recording
length = 300
severity = 1.0
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint_lab.testbed.topology.network import BedLoad, BedNetwork

MAX_SUBSCRIBERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One fault in an episode.

    fault      name of the fault
    start      seconds from the start of the recording
    length     seconds
    severity   above 0, at most 1
    recovery   seconds labelled as recovery after the fault
    """

    fault: str
    start: float
    length: float
    severity: float = 1.0
    recovery: float = 120.0

    @property
    def recovery_end(self) -> float:
        """End of the recovery in seconds from the start of the recording."""
        return self.start + self.length + self.recovery


@dataclass(frozen=True, slots=True)
class PlannedEpisode:
    """One recording on a new bed.

    network   name of the network
    length    seconds to record
    hour      hour of the day at the start, for the daily curve
    settle    seconds of traffic before the recording
    faults    the faults, in any order
    name      name of the episode and its folder
    """

    network: str
    length: float
    hour: float = 12.0
    settle: float = 10.0
    faults: tuple[FaultEvent, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """Everything that is needed to repeat a recording; `text` is the TOML."""

    seed: int
    networks: Mapping[str, BedNetwork]
    episodes: tuple[PlannedEpisode, ...]
    text: str = field(default="", compare=False)

    @property
    def seconds(self) -> float:
        """Total seconds to record over all episodes."""
        return sum(episode.length for episode in self.episodes)


def read(path: Path, known_faults: Mapping[str, object]) -> RecordingPlan:
    """Read a plan from a TOML file. Raises UsageError with the position, the value and the rule."""
    try:
        text = path.read_text()
        return parse(text, known_faults, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a plan in TOML.") from error


def parse(text: str, known_faults: Mapping[str, object], source: str = "the plan") -> RecordingPlan:
    """Parse a plan from TOML text. Raises UsageError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is no TOML ({error}); see docs/science/testbed.md for an example.") from error
    _check_keys(raw, {"seed", "networks", "episodes"}, source)
    seed = raw.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"{source}: seed {seed!r} must be a whole number, 0 or more.")
    networks = {}
    for name, table in _table(raw.get("networks", {}), f"{source}: networks").items():
        networks[name] = _network(name, _table(table, f"{source}: networks.{name}"), f"{source}: networks.{name}")
    episodes = raw.get("episodes", [])
    if not isinstance(episodes, list) or not episodes:
        raise UsageError(f"{source} has no [[episodes]]; add at least one.")
    planned = tuple(
        _episode(
            number, _table(table, f"{source}: episode {number}"), networks, known_faults, f"{source}: episode {number}"
        )
        for number, table in enumerate(episodes, 1)
    )
    names = [episode.name for episode in planned]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source}: two episodes are named {name!r}; give each a different name.")
    return RecordingPlan(seed, networks, planned, text)


def _network(name: str, table: Mapping[str, Any], where: str) -> BedNetwork:
    if not name.replace("-", "").isalnum():
        raise UsageError(f"{where}: the name {name!r} must consist of letters, digits and hyphens.")
    table = dict(table)
    load: BedLoad = _build(BedLoad, _table(table.pop("load", {}), f"{where}.load"), f"{where}.load", {})
    network: BedNetwork = _build(BedNetwork, table, where, {"name": name, "load": load})
    if not 1 <= network.subscribers <= MAX_SUBSCRIBERS:
        raise UsageError(f"{where}: subscribers {network.subscribers} must be from 1 to {MAX_SUBSCRIBERS}.")
    if network.expiry < 30:
        raise UsageError(f"{where}: expiry {network.expiry} must be 30 s or more, because the S-CSCF allows no less.")
    if load.answered + load.busy + load.unavailable > 1 + 1e-9:
        raise UsageError(f"{where}.load: answered, busy and unavailable together must not exceed 1.")
    for owner, keys in ((network, ("refresh_at", "as_share")), (load, ("night_depth", "redial", "reg_event_share"))):
        for key in keys:
            if not 0 <= getattr(owner, key) <= 1:
                raise UsageError(f"{where}: {key} {getattr(owner, key)} must be from 0 to 1.")
    return network


def _episode(
    number: int,
    table: Mapping[str, Any],
    networks: Mapping[str, BedNetwork],
    known_faults: Mapping[str, object],
    where: str,
) -> PlannedEpisode:
    table = dict(table)
    faults = table.pop("faults", [])
    if not isinstance(faults, list):
        raise UsageError(f"{where}: faults must be tables, written [[episodes.faults]].")
    events = tuple(_fault_event(_table(fault, where), known_faults, where) for fault in faults)
    episode: PlannedEpisode = _build(PlannedEpisode, table, where, {"faults": events})
    if episode.network not in networks:
        raise UsageError(f"{where}: network {episode.network!r} is none of {', '.join(networks) or 'the plan'}.")
    name = episode.name or f"{number:03d}-{episode.network}"
    if not name.replace("-", "").isalnum():
        raise UsageError(f"{where}: the name {name!r} must consist of letters, digits and hyphens.")
    if not episode.length > 0:
        raise UsageError(f"{where}: length {episode.length} must be above 0 seconds.")
    _check_no_overlap(events, episode.length, where)
    return PlannedEpisode(episode.network, episode.length, episode.hour, episode.settle, events, name)


def _check_no_overlap(events: tuple[FaultEvent, ...], length: float, where: str) -> None:
    previous_end = 0.0
    for event in sorted(events, key=lambda event: event.start):
        if event.start < previous_end:
            raise UsageError(
                f"{where}: {event.fault} starts at {event.start:g} s, before the recovery of the previous fault ends."
            )
        if event.recovery_end > length:
            raise UsageError(
                f"{where}: {event.fault} and its recovery last until {event.recovery_end:g} s, beyond the {length:g} s recorded."
            )
        previous_end = event.recovery_end


def _fault_event(table: Mapping[str, Any], known_faults: Mapping[str, object], where: str) -> FaultEvent:
    event: FaultEvent = _build(FaultEvent, table, f"{where}: fault", {})
    if event.fault not in known_faults:
        raise UsageError(f"{where}: fault {event.fault!r} is none of {', '.join(known_faults)}.")
    if not 0 < event.severity <= 1:
        raise UsageError(f"{where}: severity {event.severity} must be above 0 and at most 1.")
    if event.start < 0 or not event.length > 0 or event.recovery < 0:
        raise UsageError(
            f"{where}: {event.fault} needs a start of 0 or more, a length above 0 and a recovery of 0 or more."
        )
    return event


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} must be a table, not {value!r}.")
    return value


def _check_keys(table: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise UsageError(f"{where}: key {unknown[0]!r} is none of {', '.join(sorted(allowed))}.")


def _build(kind: type[Any], table: Mapping[str, Any], where: str, given: Mapping[str, Any]) -> Any:
    """Make a dataclass from a table; types must match the annotations, but a float may be a whole number."""
    members = {member.name: member for member in fields(kind) if member.name not in given}
    _check_keys(table, set(members), where)
    for name, member in members.items():
        if name not in table and member.default is MISSING:
            raise UsageError(f"{where} lacks {name!r}; add it.")
    values = {name: _typed(value, str(members[name].type), f"{where}: {name}") for name, value in table.items()}
    return kind(**values, **given)


def _typed(value: object, kind: str, where: str) -> object:
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    expected = {"int": int, "bool": bool, "str": str}.get(kind)
    if expected is not None and isinstance(value, expected) and (expected is bool or not isinstance(value, bool)):
        if expected is int and value < 0:  # type: ignore[operator]
            raise UsageError(f"{where} {value!r} must not be negative.")
        return value
    raise UsageError(f"{where} {value!r} must be of type {kind}.")
