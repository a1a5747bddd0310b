"""Configuration: one TOML file read into dataclasses. Each default stands here once; docs/monitor.md is generated from it.

A key that no dataclass has, or a value of another type, is refused with one sentence that names the key.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from faultprint.errors import FaultprintError, UsageError
from faultprint.monitor.incidents import IncidentRules
from faultprint.monitor.key import Key
from faultprint.monitor.maintenance import Maintenance
from faultprint.monitor.state import State, parse

S = TypeVar("S")


class SinkKind(StrEnum):
    """What a sink speaks."""

    FILE = "file"
    WEBHOOK = "webhook"
    VES = "ves"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """[time]: when a minute is final."""

    lateness_seconds: Annotated[float, Key("how long a minute waits for rows after its end", least=0)] = 1.0
    ahead_seconds: Annotated[float, Key("a row whose minute ends further ahead of our clock is refused", least=0)] = (
        300.0
    )
    patience_seconds: Annotated[
        float, Key("a source that has not moved for so long no longer holds the others up", least=1)
    ] = 120.0
    silent_minutes: Annotated[
        int, Key("minutes without anybody listening after which a node is called silent", least=1)
    ] = 5


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """[nodes]: how a node is judged."""

    most: Annotated[int, Key("nodes at once; rows of further ones are refused", least=1)] = 10_000
    profile_minutes: Annotated[
        int, Key("a new node's first observed minutes that are taken as its normal", least=30)
    ] = 60
    persistence: Annotated[int, Key("minutes that must agree before a verdict changes", least=1)] = 3
    compact: Annotated[
        bool, Key("keep codes in half precision: 32 kB a node for 46 kB, distances equal to about 1 in 1000")
    ] = False


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """[keep]: how much is kept in the state."""

    verdict_minutes: Annotated[int, Key("minutes whose verdicts are kept", least=0)] = 1440
    incident_days: Annotated[int, Key("days that a cleared incident is kept", least=1)] = 90
    messages: Annotated[int, Key("messages that may wait for one sink, and as many that were put aside", least=1)] = (
        100_000
    )


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """[retry]: how a message is tried again."""

    first_seconds: Annotated[float, Key("longest pause before the first retry; it doubles with each", least=0)] = 0.5
    longest_seconds: Annotated[float, Key("longest pause of all", least=0)] = 30.0
    timeout_seconds: Annotated[float, Key("for one attempt over HTTP in whole", least=0.1)] = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """[http]: metrics and health."""

    host: Annotated[str, Key("address to serve on")] = "127.0.0.1"
    port: Annotated[int, Key("its port; 0: serve nothing", least=0)] = 9273


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """[probe]: what to hear and whom to watch; needs `interfaces` or `hep`."""

    interfaces: Annotated[tuple[str, ...], Key("network interfaces to listen to")] = ()
    hep: Annotated[tuple[str, ...], Key("HOST:PORT to hear HEP version 3 on")] = ()
    nodes: Annotated[tuple[str, ...], Key("nodes to watch, as NAME=ADDRESS[,ADDRESS]")] = ()
    peers: Annotated[Mapping[str, str], Key("reference points of peers by address, where known")] = field(
        default_factory=dict
    )
    network: Annotated[str, Key("name of the operator's network")] = "network"
    key_file: Annotated[
        Path | None, Key("key of the subscribers' hashes, made if absent (default: the probe's own)")
    ] = None


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """[[sink]]: somebody to be told of incidents."""

    name: Annotated[str, Key("its name, in the log and the metrics; each its own")]
    kind: Annotated[SinkKind, Key("what it speaks")]
    path: Annotated[Path | None, Key("the file of a file sink")] = None
    url: Annotated[str, Key("where the others post to")] = ""
    user: Annotated[str, Key("for basic authentication")] = ""
    password_file: Annotated[Path | None, Key("file whose first line is the password")] = None
    certificate: Annotated[Path | None, Key("our certificate chain (PEM)")] = None
    certificate_key: Annotated[Path | None, Key("its key (PEM)")] = None
    authorities: Annotated[Path | None, Key("authorities that the receiver's certificate must come from (PEM)")] = None
    secret_file: Annotated[Path | None, Key("file whose first line signs a webhook's bodies")] = None
    plain_password: Annotated[bool, Key("let a password pass over http:// to another machine")] = False

    def __post_init__(self) -> None:
        wanted, other = ("path", "url") if self.kind is SinkKind.FILE else ("url", "path")
        if not getattr(self, wanted) or getattr(self, other):
            raise UsageError(f"Sink {self.name!r} is of kind {self.kind}, so it needs {wanted!r} and no {other!r}.")


@dataclass(frozen=True, slots=True)
class Settings:
    """The file's top level."""

    model: Annotated[Path, Key("the artefact that `faultprint train` made")]
    library: Annotated[Path, Key("the case library; what is taught while the monitor runs counts from the next minute")]
    state: Annotated[
        State, Key("the monitor's own: a file (SQLite), made if absent, or postgresql://USER@HOST/DATABASE")
    ]
    time: TimeSettings = field(default_factory=TimeSettings)
    nodes: NodeSettings = field(default_factory=NodeSettings)
    incidents: IncidentRules = field(default_factory=IncidentRules)
    keep: KeepSettings = field(default_factory=KeepSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    sink: tuple[SinkSettings, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        names = [sink.name for sink in self.sink]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"Two sinks are called {name!r}, but each needs a name of its own; rename one.")


def read(path: Path) -> Settings:
    """The configuration in a file; its paths are relative to the file's folder. Raises UsageError."""
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error}); see docs/monitor.md.") from None
    try:
        return make(Settings, found, "", path.parent)
    except FaultprintError as error:
        raise UsageError(f"{path}: {error}") from None


def make(kind: type[S], found: Mapping[str, Any], where: str, folder: Path) -> S:
    """A dataclass from a TOML table; `where` is the table's name. Raises UsageError."""
    assert is_dataclass(kind)
    known = {entry.name: entry for entry in fields(kind)}
    hints = typing.get_type_hints(kind, include_extras=True)
    for name in found:
        if name not in known:
            raise UsageError(f"there is no key {where + name!r}; the keys there are {', '.join(known)}.")
    values = {}
    for name, entry in known.items():
        if name in found:
            plain, key = type_of(hints[name])
            value = values[name] = _value(plain, found[name], where + name, folder)
            if key and key.least is not None and not key.least <= value < float("inf"):
                raise UsageError(f"{where + name} is {value}, but must be {key.least:g} or more; correct it.")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            _, key = type_of(hints[name])
            raise UsageError(f"the key {where + name!r} is missing; give it ({key.meaning if key else 'a table'}).")
    return kind(**values)


def type_of(hint: Any) -> tuple[Any, Key | None]:
    """An annotation's type, and what the reference says of it."""
    if typing.get_origin(hint) is Annotated:
        plain, *more = typing.get_args(hint)
        return plain, next((one for one in more if isinstance(one, Key)), None)
    return hint, None


_PLAIN: Final[Mapping[Any, tuple[type, ...]]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
    datetime: (datetime,),
}


def _value(kind: Any, found: Any, where: str, folder: Path) -> Any:
    if kind == State and isinstance(found, str) and found:
        return parse(found, folder)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _value(next(one for one in inner if one is not type(None)), found, where, folder)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(found, dict):
        return make(kind, found, f"{where}.", folder)
    if origin is tuple and isinstance(found, list):
        return tuple(_value(inner[0], one, where, folder) for one in found)
    if origin is not None and issubclass(origin, Mapping) and isinstance(found, dict):
        return {name: _value(inner[1], one, f"{where}.{name}", folder) for name, one in found.items()}
    if isinstance(kind, type) and issubclass(kind, Path) and isinstance(found, str) and found:
        return folder / found
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if found in tuple(kind):
            return kind(found)
        raise UsageError(f"{where} is {found!r}, which is none of {', '.join(kind)}; correct it.")
    if kind in _PLAIN and type(found) in _PLAIN[kind]:
        return kind(found) if kind is float else found
    raise UsageError(f"{where} is {found!r}, but must be {word_of(kind)}; correct it.")


def word_of(kind: Any) -> str:
    """A type as the reference calls it."""
    if kind == State:
        return "a path or a URL"
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return word_of(next(one for one in inner if one is not type(None)))
    if origin is tuple:
        return f"a list of {word_of(inner[0]).removeprefix('a ')}s"
    if origin is not None:
        return "a table"
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", datetime: "a date with time"}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"{word.value}" for word in kind)
    return words.get(kind, "a path" if isinstance(kind, type) and issubclass(kind, Path) else "a table")
