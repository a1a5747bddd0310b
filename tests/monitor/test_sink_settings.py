"""Sinks from TOML text to message body: every setting of a kind reaches its messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faultprint.errors import UsageError
from faultprint.monitor.build import build_sinks
from faultprint.monitor.config import settings
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import elements
from faultprint.publish.incident import Incident, Severity
from faultprint.publish.tmf642.alarm import alarm_resource

from .conftest import Deployment

INVENTORY = """
[inventory.pcscf1]
name = "ims-pcscf-0001"
id = "de305d54-75b4-431b-adb2-eb6b9e546014"
attributes = { "generic-vnf.prov-status" = "ACTIVE" }
"""
TMF642 = """
[tmf642]
base_url = "https://noc.example/tmf-api/alarmManagement/v4"
source_system = "faultprint-north"
object_type = "SBC"
alarm_types = { overload = "PROCESSING_ERROR_ALARM" }
probable_causes = { overload = "congestion" }
"""

Bodies = Callable[[str], list[Any]]


def read(folder: Path, deployment: Deployment, text: str) -> Settings:
    path = folder / "monitor.toml"
    head = f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n'
    path.write_text(head + text)
    return settings.read(path)


@pytest.fixture
def bodies(deployment: Deployment, tmp_path: Path) -> Bodies:
    """The bodies that the only sink of a configuration gets for the onset of an incident."""

    def encode(text: str) -> list[Any]:
        (sink,) = build_sinks(read(tmp_path, deployment, text), deployment.model, None)
        incident = Incident.begin("pcscf1", "net", "overload", Severity.MAJOR, 60_000_000, 120_000_000)
        sink.sender.close()
        return [json.loads(message.body) for message in sink.encode(incident)]

    return encode


def test_the_keys_of_a_ves_sink_are_in_its_events(bodies: Bodies) -> None:
    (body,) = bodies(
        '[[sink]]\nname = "v"\nkind = "ves"\nurl = "http://127.0.0.1"\nreporting_entity_name = "fp-1"\n'
        'reporting_entity_id = "id-1"\npublisher = "Product-Vendor"\nsource_type = "other"\ncategory = "ims"\n'
        'nf_vendor_name = "Vendor"\nnf_naming_code = "pcsf"\nnfc_naming_code = "sip"\n' + INVENTORY
    )
    header, fault = body["event"]["commonEventHeader"], body["event"]["faultFields"]
    assert (header["reportingEntityName"], header["reportingEntityId"]) == ("fp-1", "id-1")
    assert header["eventName"].startswith("Fault_Product-Vendor_")
    assert (header["nfVendorName"], header["nfNamingCode"], header["nfcNamingCode"]) == ("Vendor", "pcsf", "sip")
    assert (header["sourceName"], header["sourceId"]) == ("ims-pcscf-0001", "de305d54-75b4-431b-adb2-eb6b9e546014")
    assert (fault["eventSourceType"], fault["eventCategory"]) == ("other", "ims")


def test_the_keys_of_tmf642_are_in_the_notifications(bodies: Bodies) -> None:
    (body,) = bodies('[[sink]]\nname = "a"\nkind = "alarm"\nurl = "http://127.0.0.1"\n' + TMF642 + INVENTORY)
    found = body["event"]["alarm"]
    assert found["href"].startswith("https://noc.example/tmf-api/alarmManagement/v4/alarm/")
    assert found["sourceSystemId"] == found["reportingSystemId"] == "faultprint-north"
    assert (found["alarmType"], found["probableCause"]) == ("PROCESSING_ERROR_ALARM", "congestion")
    assert found["alarmedObject"] == {"id": "de305d54-75b4-431b-adb2-eb6b9e546014", "@type": "SBC"}


def test_the_alarm_api_has_the_same_content(bodies: Bodies, deployment: Deployment, tmp_path: Path) -> None:
    (body,) = bodies('[[sink]]\nname = "a"\nkind = "alarm"\nurl = "http://127.0.0.1"\n' + TMF642 + INVENTORY)
    found = read(tmp_path, deployment, TMF642 + INVENTORY)
    incident = Incident.begin("pcscf1", "net", "overload", Severity.MAJOR, 60_000_000, 120_000_000)
    assert alarm_resource(incident, found.tmf642.alarm_settings(elements(found.inventory))) == body["event"]["alarm"]


def test_the_keys_of_a_webhook_are_in_its_events(bodies: Bodies) -> None:
    (body,) = bodies('[[sink]]\nname = "w"\nkind = "webhook"\nurl = "http://127.0.0.1"\nsource = "/faultprint/north"\n')
    assert body["source"] == "/faultprint/north"


def test_the_keys_of_a_kafka_sink_are_in_its_events(bodies: Bodies) -> None:
    (body,) = bodies(
        '[[sink]]\nname = "k"\nkind = "kafka"\nbootstrap = "127.0.0.1:9"\ncontrol_loops = { overload = "Loop-1" }\n'
        'event_client = "client-1"\ntarget = "vserver.vserver-name"\ntime_unit = "us"\npolicy_name = "name-1"\n'
        'policy_scope = "scope-1"\npolicy_version = "v1"\n' + INVENTORY
    )
    assert (body["closedLoopControlName"], body["closedLoopEventClient"]) == ("Loop-1", "client-1")
    assert (body["target"], body["closedLoopAlarmStart"]) == ("vserver.vserver-name", 60_000_000)
    assert (body["policyName"], body["policyScope"], body["policyVersion"]) == ("name-1", "scope-1", "v1")
    assert body["AAI"] == {"generic-vnf.prov-status": "ACTIVE", "vserver.vserver-name": "ims-pcscf-0001"}


@pytest.mark.parametrize(
    ("kind", "receiver", "key"),
    [
        ("webhook", 'url = "http://127.0.0.1"', "default_control_loop"),
        ("ves", 'url = "http://127.0.0.1"', "secret_file"),
        ("alarm", 'url = "http://127.0.0.1"', "batch"),
        ("file", 'path = "x"', "tls"),
        ("kafka", 'bootstrap = "k:1"', "url"),
    ],
)
def test_a_key_of_another_kind_is_refused(
    deployment: Deployment, tmp_path: Path, kind: str, receiver: str, key: str
) -> None:
    text = f'[[sink]]\nname = "s"\nkind = "{kind}"\n{receiver}\n{key} = "x"\n'
    with pytest.raises(UsageError) as caught:
        read(tmp_path, deployment, text)
    assert f"there is no key 'sink.{key}' for kind '{kind}'; the keys there are name, " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("[keep]\n", "keep", "retention"),
        ("[time]\npatience_seconds = 3\n", "time.patience_seconds", "time.idle_timeout_seconds"),
        ("[nodes]\nmostly_normal = true\n", "nodes.mostly_normal", 'baseline.kind = "robust"'),
        ('[kafka]\nbootstrap = "k:1"\nholds = "minutes"\n', "kafka.holds", "kafka.payload"),
        (
            '[[sink]]\nname = "s"\nkind = "kafka"\nbootstrap = "k:1"\nloop = "L"\n',
            "sink.loop",
            "sink.default_control_loop",
        ),
    ],
)
def test_an_old_key_is_answered_with_its_new_name(
    deployment: Deployment, tmp_path: Path, text: str, old: str, new: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, deployment, text)
    assert f"the key {old!r} was renamed to {new!r}" in str(caught.value)
