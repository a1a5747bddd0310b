"""The configuration: one TOML file, read into dataclasses. Defaults are defined here only.

docs/reference/monitor.md is generated from it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from faultprint.errors import FaultprintError, UsageError
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.config.http import HttpSettings
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.kafka import KafkaSettings
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.config.reader import TableReader
from faultprint.monitor.config.sinks import InventoryEntry, SinkSettings, Tmf642Settings

RENAMED: Final[Mapping[str, str]] = {
    "keep": "retention",
    "time.patience_seconds": "time.idle_timeout_seconds",
    "time.silent_minutes": "time.no_data_minutes",
    "nodes.most": "nodes.max",
    "nodes.profile_minutes": "baseline.minutes",
    "nodes.mostly_normal": 'baseline.kind = "robust"',
    "nodes.persistence": "nodes.confirm_minutes",
    "nodes.compact": "nodes.quantized",
    "kafka.holds": "kafka.payload",
    "kafka.authorities": "kafka.ca_file",
    "kafka.plain_password": "kafka.allow_plaintext_password",
    "sink.loops": "sink.control_loops",
    "sink.loop": "sink.default_control_loop",
    "sink.authorities": "sink.ca_file",
    "sink.plain_password": "sink.allow_plaintext_password",
}
"""Keys of earlier versions → their present names, for the error text."""


class BaselineKind(StrEnum):
    """How the baseline of a new node is selected."""

    FIRST = "first"
    ROBUST = "robust"


_BASELINE_MINUTES: Final[Mapping[BaselineKind, int]] = {BaselineKind.FIRST: 60, BaselineKind.ROBUST: 1440}


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """[time]: when a minute is final."""

    lateness_seconds: Annotated[float, SettingDoc("how long a minute waits for late rows after its end", 0)] = 1.0
    ahead_seconds: Annotated[
        float, SettingDoc("a row whose minute ends more than this after the arrival clock is refused", 0)
    ] = 300.0
    idle_timeout_seconds: Annotated[
        float, SettingDoc("a source whose watermark has not advanced for this long is ignored", 1)
    ] = 120.0
    no_data_minutes: Annotated[int, SettingDoc("minutes without data after which a node is reported", 1)] = 5


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """[nodes]: limits of nodes and of their verdicts."""

    max: Annotated[int, SettingDoc("largest number of nodes; rows of further nodes are refused", 1)] = 10_000
    forget_days: Annotated[
        int, SettingDoc("days without data after which a node without an open incident is forgotten", 1)
    ] = 14
    confirm_minutes: Annotated[int, SettingDoc("minutes that must agree before a verdict changes", 1)] = 3
    quantized: Annotated[
        bool,
        SettingDoc(
            "store window buffers as 8-bit values: 12 kB instead of 46 kB per node; distances change by about 1 %"
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """[baseline]: how the baseline of a new node is selected."""

    kind: Annotated[
        BaselineKind,
        SettingDoc("first: the first minutes, which must be fault-free; robust: longer, and outliers are removed"),
    ] = BaselineKind.FIRST
    minutes: Annotated[
        int | None, SettingDoc("observed minutes that the baseline takes (default: 60, with `robust` 1440)", 30)
    ] = None

    @property
    def length(self) -> int:
        """Minutes of the baseline."""
        return _BASELINE_MINUTES[self.kind] if self.minutes is None else self.minutes


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """[retention]: how much is kept in the state."""

    verdict_minutes: Annotated[int, SettingDoc("minutes whose verdicts are kept", 0)] = 1440
    incident_days: Annotated[int, SettingDoc("days that a cleared incident is kept", 1)] = 90
    messages: Annotated[
        int, SettingDoc("largest number of waiting messages per sink, and of dead-lettered messages", 1)
    ] = 100_000


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """[retry]: how the delivery of a message is retried."""

    first_seconds: Annotated[float, SettingDoc("longest pause before the first retry; it doubles each time", 0)] = 0.5
    longest_seconds: Annotated[float, SettingDoc("upper limit of all pauses", 0)] = 30.0
    timeout_seconds: Annotated[float, SettingDoc("time limit of one delivery attempt", 0.1)] = 10.0


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """[probe]: the inputs of the live probe and its nodes; needs `interfaces` or `hep`."""

    interfaces: Annotated[tuple[str, ...], SettingDoc("network interfaces to capture from")] = ()
    hep: Annotated[
        tuple[str, ...],
        SettingDoc("HOST:PORT (UDP), tcp://HOST:PORT or tls://HOST:PORT to receive HEP version 3 on"),
    ] = ()
    hep_agents: Annotated[
        tuple[str, ...],
        SettingDoc(
            "addresses or networks (CIDR) of the agents that may send HEP; "
            "beyond loopback this or `hep_key_file` is required (default: all)"
        ),
    ] = ()
    hep_key_file: Annotated[
        Path | None,
        SettingDoc("file whose first line is the authentication key that HEP packets must carry (chunk 14)"),
    ] = None
    hep_certificate: Annotated[Path | None, SettingDoc("certificate chain (PEM) for tls:// addresses")] = None
    hep_certificate_key: Annotated[Path | None, SettingDoc("private key (PEM) of `hep_certificate`")] = None
    hep_clock_bound_seconds: Annotated[
        float,
        SettingDoc("a HEP stamp farther from its arrival is dropped, after the offset of the agent's clock", 1),
    ] = 10.0
    silence_seconds: Annotated[
        float,
        SettingDoc("HEP agents that were not heard for so long are silent, and their nodes are not heard", 1),
    ] = 180.0
    nodes: Annotated[tuple[str, ...], SettingDoc("nodes to watch, as NAME=ADDRESS[,ADDRESS]")] = ()
    peers: Annotated[Mapping[str, str], SettingDoc("3GPP reference points of peers, by address")] = field(
        default_factory=dict
    )
    network: Annotated[str, SettingDoc("name of the operator's network")] = "network"
    key_file: Annotated[
        Path | None,
        SettingDoc("key of the subscriber pseudonyms, created if absent (default: the key of `faultprint probe`)"),
    ] = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The top level of the file."""

    model: Annotated[Path, SettingDoc("the model file made by `faultprint train`")]
    library: Annotated[
        Path, SettingDoc("the case library; cases enrolled while the monitor runs count from the next minute")
    ]
    state: Annotated[
        StateLocation,
        SettingDoc("state of this monitor: a SQLite file, created if absent, or postgresql://USER@HOST/DATABASE"),
    ]
    model_keys: Annotated[
        tuple[Path, ...],
        SettingDoc(
            "public keys (PEM, Ed25519); the model must be signed by one of them (default: no signature needed)"
        ),
    ] = ()
    time: TimeSettings = field(default_factory=TimeSettings)
    nodes: NodeSettings = field(default_factory=NodeSettings)
    baseline: BaselineSettings = field(default_factory=BaselineSettings)
    incidents: IncidentRules = field(default_factory=IncidentRules)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    tmf642: Tmf642Settings = field(default_factory=Tmf642Settings)
    inventory: Mapping[str, InventoryEntry] = field(default_factory=dict)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    kafka: KafkaSettings | None = None
    sink: tuple[SinkSettings, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        queues = [queue for sink in self.sink for queue in sink.queues]
        for queue in queues:
            if queues.count(queue) > 1:
                raise UsageError(f"Two sinks are named {queue!r}, but names must be unique; rename one.")
        if self.kafka is not None:
            if not isinstance(self.state, Path):
                raise UsageError(f"With [kafka] the state must be a file, not {self.state}; name a file.")
            if self.http.alarms:
                raise UsageError("With [kafka] there is no alarm API; set http.alarms to false.")


def read(path: Path) -> Settings:
    """The configuration in a file. Its paths are relative to the folder of the file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error}); see docs/reference/monitor.md.") from None
    try:
        return TableReader(path.parent, RENAMED).read(Settings, table)
    except FaultprintError as error:
        raise UsageError(f"{path}: {error}") from None
