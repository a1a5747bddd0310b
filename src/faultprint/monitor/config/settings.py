"""Configuration: one TOML file read into dataclasses. Each default stands here once; docs/monitor.md is generated from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from faultprint.errors import FaultprintError, UsageError
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.config.kafka import KafkaSettings, check_topic
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.config.reader import make
from faultprint.monitor.detect.incidents import IncidentRules
from faultprint.monitor.state.connect import State
from faultprint.publish.control_loop import TOPIC
from faultprint.publish.senders.endpoint import is_loopback


class SinkKind(StrEnum):
    """What a sink speaks."""

    FILE = "file"
    WEBHOOK = "webhook"
    VES = "ves"
    ALARM = "alarm"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """[time]: when a minute is final."""

    lateness_seconds: Annotated[float, SettingDoc("how long a minute waits for rows after its end", least=0)] = 1.0
    ahead_seconds: Annotated[
        float, SettingDoc("a row whose minute ends further ahead of our clock is refused", least=0)
    ] = 300.0
    patience_seconds: Annotated[
        float, SettingDoc("a source that has not moved for so long no longer holds the others up", least=1)
    ] = 120.0
    silent_minutes: Annotated[
        int, SettingDoc("minutes without anybody listening after which a node is called silent", least=1)
    ] = 5


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """[nodes]: how a node is judged."""

    most: Annotated[int, SettingDoc("nodes at once; rows of further ones are refused", least=1)] = 10_000
    profile_minutes: Annotated[
        int, SettingDoc("a new node's first observed minutes that are taken as its normal", least=30)
    ] = 60
    mostly_normal: Annotated[
        bool,
        SettingDoc("these minutes need only be mostly normal: what stands out in them is left out; make them a day"),
    ] = False
    persistence: Annotated[int, SettingDoc("minutes that must agree before a verdict changes", least=1)] = 3
    compact: Annotated[
        bool, SettingDoc("keep a byte a number: rings of 12 kB a node for 46, distances equal to about 1 in 100")
    ] = False


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """[keep]: how much is kept in the state."""

    verdict_minutes: Annotated[int, SettingDoc("minutes whose verdicts are kept", least=0)] = 1440
    incident_days: Annotated[int, SettingDoc("days that a cleared incident is kept", least=1)] = 90
    messages: Annotated[
        int, SettingDoc("messages that may wait for one sink, and as many that were put aside", least=1)
    ] = 100_000


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """[retry]: how a message is tried again."""

    first_seconds: Annotated[
        float, SettingDoc("longest pause before the first retry; it doubles with each", least=0)
    ] = 0.5
    longest_seconds: Annotated[float, SettingDoc("longest pause of all", least=0)] = 30.0
    timeout_seconds: Annotated[float, SettingDoc("for one attempt over HTTP in whole", least=0.1)] = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """[http]: metrics, health and alarms."""

    host: Annotated[str, SettingDoc("address to serve on")] = "127.0.0.1"
    port: Annotated[int, SettingDoc("its port; 0: serve nothing", least=0)] = 9273
    alarms: Annotated[bool, SettingDoc("serve alarms by TMF642, to read, acknowledge, comment and clear")] = False
    token_file: Annotated[
        Path | None,
        SettingDoc("file whose first line must come as bearer token with a request for alarms; needed off loopback"),
    ] = None

    def __post_init__(self) -> None:
        if self.alarms and not self.port:
            raise UsageError("http.alarms cannot be served on port 0, which serves nothing; set http.port.")
        if self.alarms and self.token_file is None and not is_loopback(self.host):
            raise UsageError(
                f"http.alarms would let anybody who reaches {self.host} clear alarms; set http.token_file, or serve on 127.0.0.1."
            )


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """[probe]: what to hear and whom to watch; needs `interfaces` or `hep`."""

    interfaces: Annotated[tuple[str, ...], SettingDoc("network interfaces to listen to")] = ()
    hep: Annotated[tuple[str, ...], SettingDoc("HOST:PORT to hear HEP version 3 on")] = ()
    nodes: Annotated[tuple[str, ...], SettingDoc("nodes to watch, as NAME=ADDRESS[,ADDRESS]")] = ()
    peers: Annotated[Mapping[str, str], SettingDoc("reference points of peers by address, where known")] = field(
        default_factory=dict
    )
    network: Annotated[str, SettingDoc("name of the operator's network")] = "network"
    key_file: Annotated[
        Path | None, SettingDoc("key of the subscribers' hashes, made if absent (default: the probe's own)")
    ] = None


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """[[sink]]: somebody to be told of incidents."""

    name: Annotated[str, SettingDoc("its name, in the log and the metrics; each its own")]
    kind: Annotated[SinkKind, SettingDoc("what it speaks")]
    path: Annotated[Path | None, SettingDoc("the file of a file sink")] = None
    url: Annotated[str, SettingDoc("where the others post to")] = ""
    bootstrap: Annotated[str, SettingDoc("brokers of a kafka sink, as HOST:PORT[,HOST:PORT]")] = ""
    topic: Annotated[str, SettingDoc("where a kafka sink puts its control-loop events")] = TOPIC
    loops: Annotated[Mapping[str, str], SettingDoc("control loops (closedLoopControlName) of conditions, by name")] = (
        field(default_factory=dict)
    )
    loop: Annotated[str, SettingDoc("control loop of all other conditions (none: nothing is sent of them)")] = ""
    tls: Annotated[bool, SettingDoc("speak TLS to the brokers")] = False
    mechanism: Annotated[str, SettingDoc("SASL's, of a kafka sink: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = (
        "SCRAM-SHA-512"
    )
    user: Annotated[str, SettingDoc("for basic authentication, or SASL")] = ""
    password_file: Annotated[Path | None, SettingDoc("file whose first line is the password")] = None
    certificate: Annotated[Path | None, SettingDoc("our certificate chain (PEM)")] = None
    certificate_key: Annotated[Path | None, SettingDoc("its key (PEM)")] = None
    authorities: Annotated[
        Path | None, SettingDoc("authorities that the receiver's certificate must come from (PEM)")
    ] = None
    secret_file: Annotated[Path | None, SettingDoc("file whose first line signs a webhook's bodies")] = None
    plain_password: Annotated[
        bool, SettingDoc("let a password pass over http:// (or without TLS) to another machine")
    ] = False
    batch: Annotated[bool, SettingDoc("send a VES collector what waits together as eventBatch")] = True
    measurements: Annotated[
        tuple[str, ...], SettingDoc("features to tell a VES collector of, node by node and minute by minute")
    ] = ()

    def __post_init__(self) -> None:
        wanted = _RECEIVER.get(self.kind, "url")
        others = sorted({*_RECEIVER.values(), "url"} - {wanted})
        if not getattr(self, wanted) or any(getattr(self, other) for other in others):
            raise UsageError(
                f"Sink {self.name!r} is of kind {self.kind}, so it needs {wanted!r} and no {' or '.join(map(repr, others))}."
            )
        if self.measurements and self.kind is not SinkKind.VES:
            raise UsageError(
                f"Sink {self.name!r} is of kind {self.kind}, but only ves takes measurements; leave them out."
            )
        if self.kind is SinkKind.KAFKA:
            check_topic(self.topic, f"The topic of sink {self.name!r}")
            if not self.loops and not self.loop:
                raise UsageError(f"Sink {self.name!r} has no control loop to tell of anything; give 'loops' or 'loop'.")

    @property
    def lane(self) -> str:
        """The name of the outbox in which measurements wait."""
        return f"{self.name}.measurements"


_RECEIVER: Final[Mapping[SinkKind, str]] = {SinkKind.FILE: "path", SinkKind.KAFKA: "bootstrap"}
"""Which key says where a sink's receiver is; `url` for the others."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The file's top level."""

    model: Annotated[Path, SettingDoc("the artefact that `faultprint train` made")]
    library: Annotated[
        Path, SettingDoc("the case library; what is taught while the monitor runs counts from the next minute")
    ]
    state: Annotated[
        State, SettingDoc("the monitor's own: a file (SQLite), made if absent, or postgresql://USER@HOST/DATABASE")
    ]
    time: TimeSettings = field(default_factory=TimeSettings)
    nodes: NodeSettings = field(default_factory=NodeSettings)
    incidents: IncidentRules = field(default_factory=IncidentRules)
    keep: KeepSettings = field(default_factory=KeepSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    kafka: KafkaSettings | None = None
    sink: tuple[SinkSettings, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        names = [name for sink in self.sink for name in (sink.name, *([sink.lane] if sink.measurements else ()))]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"Two sinks are called {name!r}, but each needs a name of its own; rename one.")
        if self.kafka is not None:
            if not isinstance(self.state, Path):
                raise UsageError(f"With [kafka] each partition has a file as its state, not {self.state}; name a file.")
            if self.http.alarms:
                raise UsageError("With [kafka] each partition has alarms of its own; set http.alarms to false.")


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
