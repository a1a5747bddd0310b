"""[[sink]]: the receivers of incidents. Each kind of sink has its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from faultprint.errors import UsageError
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.config.kafka import check_topic
from faultprint.publish.control_loop import TOPIC, ControlLoopSettings, Target, TimeUnit
from faultprint.publish.inventory import Inventory, InventoryElement
from faultprint.publish.tmf642.alarm import BASE_PATH, AlarmSettings, AlarmType
from faultprint.publish.ves.event import VesSettings


class SinkKind(StrEnum):
    """The interface of a sink."""

    FILE = "file"
    WEBHOOK = "webhook"
    VES = "ves"
    ALARM = "alarm"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """[inventory.NODE]: what the network inventory (in ONAP: A&AI) calls a node, for VES, TMF642 and control loops."""

    name: Annotated[str, SettingDoc("vnf-name or vserver-name (default: the node's own name)")] = ""
    id: Annotated[str, SettingDoc("vnf-id, a UUID")] = ""
    attributes: Annotated[
        Mapping[str, str],
        SettingDoc('further A&AI attributes for the policy engine, such as `"generic-vnf.prov-status" = "ACTIVE"`'),
    ] = field(default_factory=dict)


def elements(entries: Mapping[str, InventoryEntry]) -> Inventory:
    """The inventory as the encoders need it."""
    return {node: InventoryElement(entry.name or node, entry.id, entry.attributes) for node, entry in entries.items()}


@dataclass(frozen=True, slots=True)
class Tmf642Settings:
    """[tmf642]: the content of TMF642 alarms, for sinks of kind `alarm` and for `http.alarms`."""

    base_url: Annotated[str, SettingDoc("URL or path of the alarm API; `href` of each alarm starts with it")] = (
        BASE_PATH
    )
    source_system: Annotated[str, SettingDoc("`sourceSystemId` and `reportingSystemId`")] = "faultprint"
    object_type: Annotated[str, SettingDoc("`alarmedObjectType`")] = "PCSCF"
    alarm_types: Annotated[
        Mapping[str, AlarmType], SettingDoc("`alarmType` by condition; other conditions have QUALITY_OF_SERVICE_ALARM")
    ] = field(default_factory=dict)
    probable_causes: Annotated[
        Mapping[str, str],
        SettingDoc("`probableCause` by condition (X.733, TS 32.111-2 annex B); other conditions have `indeterminate`"),
    ] = field(default_factory=dict)

    def alarm_settings(self, inventory: Inventory) -> AlarmSettings:
        """The settings of the encoder."""
        return AlarmSettings(
            base=self.base_url,
            source=self.source_system,
            types=self.alarm_types,
            causes=self.probable_causes,
            object_type=self.object_type,
            inventory=inventory,
        )


@dataclass(frozen=True, slots=True)
class FileSinkSettings:
    """[[sink]] of kind `file`: one JSON line for each change of an incident."""

    kind: ClassVar[SinkKind] = SinkKind.FILE
    name: Annotated[str, SettingDoc("unique name, used in the log and the metrics")]
    path: Annotated[Path, SettingDoc("the file; lines are appended")]

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of its outboxes."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class HttpSinkSettings:
    """The keys that all sinks over HTTP share."""

    name: Annotated[str, SettingDoc("unique name, used in the log and the metrics")]
    url: Annotated[str, SettingDoc("address of the receiver")]
    user: Annotated[str, SettingDoc("user name for basic authentication")] = ""
    password_file: Annotated[Path | None, SettingDoc("file whose first line is the password")] = None
    certificate: Annotated[Path | None, SettingDoc("certificate chain of the monitor (PEM)")] = None
    certificate_key: Annotated[Path | None, SettingDoc("its private key (PEM)")] = None
    ca_file: Annotated[Path | None, SettingDoc("CA certificates that the receiver must be signed by (PEM)")] = None
    allow_plaintext_password: Annotated[bool, SettingDoc("send the password over http:// to another machine")] = False

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of its outboxes."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class WebhookSinkSettings(HttpSinkSettings):
    """[[sink]] of kind `webhook`: a CloudEvent for each change of an incident."""

    kind: ClassVar[SinkKind] = SinkKind.WEBHOOK
    source: Annotated[str, SettingDoc("CloudEvents `source`: a URI reference that names this monitor")] = "/faultprint"
    secret_file: Annotated[Path | None, SettingDoc("file whose first line is the key of the body's HMAC signature")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class VesSinkSettings(HttpSinkSettings):
    """[[sink]] of kind `ves`: fault events, and measurement events if wanted, for a VES collector."""

    kind: ClassVar[SinkKind] = SinkKind.VES
    batch: Annotated[bool, SettingDoc("send waiting messages together as an eventBatch")] = True
    measurements: Annotated[
        tuple[str, ...], SettingDoc("features to send for every node and minute as measurement events")
    ] = ()
    reporting_entity_name: Annotated[str, SettingDoc("`reportingEntityName`")] = "faultprint"
    reporting_entity_id: Annotated[str, SettingDoc("`reportingEntityId`")] = ""
    publisher: Annotated[str, SettingDoc("middle part of `eventName`, such as Product-Vendor")] = "Faultprint"
    source_type: Annotated[str, SettingDoc("`eventSourceType`")] = "virtualNetworkFunction"
    category: Annotated[str, SettingDoc("`eventCategory`")] = "signaling"
    nf_vendor_name: Annotated[str, SettingDoc("`nfVendorName`")] = ""
    nf_naming_code: Annotated[str, SettingDoc("`nfNamingCode`, such as pcsf")] = ""
    nfc_naming_code: Annotated[str, SettingDoc("`nfcNamingCode`")] = ""

    @property
    def measurement_queue(self) -> str:
        """Name of the outbox of the measurement events."""
        return f"{self.name}.measurements"

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of its outboxes."""
        return (self.name, self.measurement_queue) if self.measurements else (self.name,)

    def ves_settings(self, inventory: Inventory) -> VesSettings:
        """The settings of the encoder."""
        return VesSettings(
            reporting_entity=self.reporting_entity_name,
            reporting_entity_id=self.reporting_entity_id,
            publisher=self.publisher,
            source_type=self.source_type,
            category=self.category,
            nf_vendor=self.nf_vendor_name,
            nf_naming_code=self.nf_naming_code,
            nfc_naming_code=self.nfc_naming_code,
            inventory=inventory,
        )


@dataclass(frozen=True, slots=True)
class AlarmSinkSettings(HttpSinkSettings):
    """[[sink]] of kind `alarm`: TMF642 notifications for a listener; [tmf642] says what the alarms hold."""

    kind: ClassVar[SinkKind] = SinkKind.ALARM


@dataclass(frozen=True, slots=True)
class KafkaSinkSettings:
    """[[sink]] of kind `kafka`: control-loop events, ONSET and ABATED, for a policy engine."""

    kind: ClassVar[SinkKind] = SinkKind.KAFKA
    name: Annotated[str, SettingDoc("unique name, used in the log and the metrics")]
    bootstrap: Annotated[str, SettingDoc("brokers, as HOST:PORT[,HOST:PORT]")]
    topic: Annotated[str, SettingDoc("topic of the control-loop events")] = TOPIC
    control_loops: Annotated[Mapping[str, str], SettingDoc("`closedLoopControlName` by condition")] = field(
        default_factory=dict
    )
    default_control_loop: Annotated[
        str, SettingDoc("`closedLoopControlName` of all other conditions (default: these send no event)")
    ] = ""
    event_client: Annotated[str, SettingDoc("`closedLoopEventClient`")] = "DCAE_INSTANCE_ID.faultprint"
    target: Annotated[Target, SettingDoc("the A&AI field that the control loop acts on")] = Target.VNF
    time_unit: Annotated[TimeUnit, SettingDoc("unit of the times in the events")] = TimeUnit.MILLISECONDS
    policy_name: Annotated[str, SettingDoc("`policyName`")] = ""
    policy_scope: Annotated[str, SettingDoc("`policyScope`")] = ""
    policy_version: Annotated[str, SettingDoc("`policyVersion`")] = ""
    tls: Annotated[bool, SettingDoc("use TLS")] = False
    mechanism: Annotated[str, SettingDoc("SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = "SCRAM-SHA-512"
    user: Annotated[str, SettingDoc("user name for SASL")] = ""
    password_file: Annotated[Path | None, SettingDoc("file whose first line is the password")] = None
    certificate: Annotated[Path | None, SettingDoc("certificate chain of the monitor (PEM)")] = None
    certificate_key: Annotated[Path | None, SettingDoc("its private key (PEM)")] = None
    ca_file: Annotated[Path | None, SettingDoc("CA certificates that the brokers must be signed by (PEM)")] = None
    allow_plaintext_password: Annotated[bool, SettingDoc("send the password without TLS to another machine")] = False

    def __post_init__(self) -> None:
        check_topic(self.topic, f"The topic of sink {self.name!r}")
        if not self.control_loops and not self.default_control_loop:
            raise UsageError(
                f"Sink {self.name!r} has no control loop, so it would send nothing; "
                "set control_loops or default_control_loop."
            )

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of its outboxes."""
        return (self.name,)

    def control_loop_settings(self, inventory: Inventory) -> ControlLoopSettings:
        """The settings of the encoder."""
        return ControlLoopSettings(
            loops=self.control_loops,
            default=self.default_control_loop,
            client=self.event_client,
            target=self.target,
            time_unit=self.time_unit,
            policy_name=self.policy_name,
            policy_scope=self.policy_scope,
            policy_version=self.policy_version,
            inventory=inventory,
        )


SinkSettings = FileSinkSettings | WebhookSinkSettings | VesSinkSettings | AlarmSinkSettings | KafkaSinkSettings
