"""A plan: which networks, which episodes on them, which faults in those, and a seed. Read from TOML, checked here.

seed = 7
[networks.coast]                  # keys: the fields of Network, and a table `load` with those of Load
subscribers = 800
[[episodes]]                      # one fresh bed each; those of one network follow one another
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
from faultprint_lab.testbed.topology.network import TestbedLoad, TestbedNetwork

MAX_SUBSCRIBERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One fault: seconds from the start of the recording, how long, how strong (0 to 1), how long its recovery."""

    fault: str
    start: float
    length: float
    severity: float = 1.0
    recovery: float = 120.0

    @property
    def over(self) -> float:
        """When its recovery ends."""
        return self.start + self.length + self.recovery


@dataclass(frozen=True, slots=True)
class PlannedEpisode:
    """One bed's life: `length` seconds of recording after `settle` seconds that are not recorded, begun at `hour`."""

    network: str
    length: float
    hour: float = 12.0
    settle: float = 10.0
    faults: tuple[FaultEvent, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class TestbedPlan:
    """Everything that a recording needs to be made again."""

    seed: int
    networks: Mapping[str, TestbedNetwork]
    episodes: tuple[PlannedEpisode, ...]
    text: str = field(default="", compare=False)

    @property
    def seconds(self) -> float:
        """Network-seconds recorded in all."""
        return sum(episode.length for episode in self.episodes)


def read(path: Path, known_faults: Mapping[str, object]) -> TestbedPlan:
    """The plan in a TOML file. Raises UsageError with the place, the value and the rule."""
    try:
        text = path.read_text()
        return parse(text, known_faults, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a plan in TOML.") from error


def parse(text: str, known_faults: Mapping[str, object], source: str = "the plan") -> TestbedPlan:
    """A plan from TOML text. Raises UsageError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is no TOML ({error}); see docs/testbed.md for an example.") from error
    _known(raw, {"seed", "networks", "episodes"}, source)
    seed = raw.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"{source}: seed {seed!r} must be a whole number from 0 on.")
    networks = {}
    for name, table in _table(raw.get("networks", {}), f"{source}: networks").items():
        networks[name] = _network(name, _table(table, f"{source}: networks.{name}"), f"{source}: networks.{name}")
    episodes = raw.get("episodes", [])
    if not isinstance(episodes, list) or not episodes:
        raise UsageError(f"{source} has no [[episodes]]; add at least one.")
    read_ones = tuple(
        _episode(
            number, _table(one, f"{source}: episode {number}"), networks, known_faults, f"{source}: episode {number}"
        )
        for number, one in enumerate(episodes, 1)
    )
    names = [episode.name for episode in read_ones]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source}: two episodes are named {name!r}; give each a name of its own.")
    return TestbedPlan(seed, networks, read_ones, text)


def _network(name: str, table: Mapping[str, Any], where: str) -> TestbedNetwork:
    if not name.replace("-", "").isalnum():
        raise UsageError(f"{where}: the name {name!r} must be made of letters, digits and hyphens.")
    table = dict(table)
    load: TestbedLoad = _build(TestbedLoad, _table(table.pop("load", {}), f"{where}.load"), f"{where}.load", {})
    network: TestbedNetwork = _build(TestbedNetwork, table, where, {"name": name, "load": load})
    if not 1 <= network.subscribers <= MAX_SUBSCRIBERS:
        raise UsageError(f"{where}: subscribers {network.subscribers} must be from 1 to {MAX_SUBSCRIBERS}.")
    if network.expiry < 30:
        raise UsageError(f"{where}: expiry {network.expiry} must be 30 s or more, as the S-CSCF allows no less.")
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
    networks: Mapping[str, TestbedNetwork],
    known_faults: Mapping[str, object],
    where: str,
) -> PlannedEpisode:
    table = dict(table)
    faults = table.pop("faults", [])
    if not isinstance(faults, list):
        raise UsageError(f"{where}: faults must be tables, written [[episodes.faults]].")
    strikes = tuple(_strike(_table(one, where), known_faults, where) for one in faults)
    episode: PlannedEpisode = _build(PlannedEpisode, table, where, {"faults": strikes})
    if episode.network not in networks:
        raise UsageError(f"{where}: network {episode.network!r} is none of {', '.join(networks) or 'the plan'}.")
    name = episode.name or f"{number:03d}-{episode.network}"
    if not name.replace("-", "").isalnum():
        raise UsageError(f"{where}: the name {name!r} must be made of letters, digits and hyphens.")
    if not episode.length > 0:
        raise UsageError(f"{where}: length {episode.length} must be above 0 seconds.")
    _apart(strikes, episode.length, where)
    return PlannedEpisode(episode.network, episode.length, episode.hour, episode.settle, strikes, name)


def _apart(strikes: tuple[FaultEvent, ...], length: float, where: str) -> None:
    before = 0.0
    for strike in sorted(strikes, key=lambda one: one.start):
        if strike.start < before:
            raise UsageError(
                f"{where}: {strike.fault} starts at {strike.start:g} s, before the one ahead of it is over."
            )
        if strike.over > length:
            raise UsageError(
                f"{where}: {strike.fault} and its recovery last until {strike.over:g} s, beyond the {length:g} s recorded."
            )
        before = strike.over


def _strike(table: Mapping[str, Any], known_faults: Mapping[str, object], where: str) -> FaultEvent:
    strike: FaultEvent = _build(FaultEvent, table, f"{where}: fault", {})
    if strike.fault not in known_faults:
        raise UsageError(f"{where}: fault {strike.fault!r} is none of {', '.join(known_faults)}.")
    if not 0 < strike.severity <= 1:
        raise UsageError(f"{where}: severity {strike.severity} must be above 0 and at most 1.")
    if strike.start < 0 or not strike.length > 0 or strike.recovery < 0:
        raise UsageError(f"{where}: {strike.fault} needs a start from 0 on, a length above 0 and a recovery from 0 on.")
    return strike


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} must be a table, not {value!r}.")
    return value


def _known(table: Mapping[str, Any], allowed: set[str], where: str) -> None:
    strange = sorted(set(table) - allowed)
    if strange:
        raise UsageError(f"{where}: key {strange[0]!r} is none of {', '.join(sorted(allowed))}.")


def _build(kind: type[Any], table: Mapping[str, Any], where: str, given: Mapping[str, Any]) -> Any:
    """A dataclass from a table, types checked against its annotations; whole numbers pass as floats."""
    slots = {slot.name: slot for slot in fields(kind) if slot.name not in given}
    _known(table, set(slots), where)
    for name, slot in slots.items():
        if name not in table and slot.default is MISSING:
            raise UsageError(f"{where} lacks {name!r}; add it.")
    values = {name: _typed(value, str(slots[name].type), f"{where}: {name}") for name, value in table.items()}
    return kind(**values, **given)


def _typed(value: object, kind: str, where: str) -> object:
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    right = {"int": int, "bool": bool, "str": str}.get(kind)
    if right is not None and isinstance(value, right) and (right is bool or not isinstance(value, bool)):
        if right is int and value < 0:  # type: ignore[operator]
            raise UsageError(f"{where} {value!r} must not be negative.")
        return value
    raise UsageError(f"{where} {value!r} must be of type {kind}.")
