from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.publish.incident import Actor, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement
from faultprint.publish.text import to_json
from faultprint.publish.ves.batch import batches
from faultprint.publish.ves.event import VesSettings, fault_event
from faultprint.publish.ves.measurement import MeasurementCounter, measurement_event
from faultprint_lab.pages.publish import story

from .schema import errors, needs_schemas, ves
from .strategies import elements, histories, numbers, texts

IDENTITY = ("eventId", "eventName", "sourceName", "sourceId", "startEpochMicrosec", "reportingEntityName", "domain")
PLAIN = VesSettings()
settings_of_ves = st.builds(
    VesSettings,
    reporting_entity=texts,
    reporting_entity_id=texts,
    publisher=texts,
    source_type=texts,
    category=texts,
    nf_vendor=texts,
    nf_naming_code=texts,
    nfc_naming_code=texts,
    inventory=st.one_of(st.just({}), elements.map(lambda element: {"pcscf1": element})),
)


def _parts(event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return event["event"]["commonEventHeader"], event["event"]["faultFields"]


def test_a_raise() -> None:
    header, fault = _parts(fault_event(story()[0], PLAIN))
    assert (header["version"], header["vesEventListenerVersion"], header["domain"]) == ("4.1", "7.2.1", "fault")
    assert header["eventName"] == "Fault_Faultprint_Unknown"
    assert header["sequence"] == 1 and header["sourceName"] == "pcscf1"
    assert header["lastEpochMicrosec"] - header["startEpochMicrosec"] == 120_000_000
    assert fault["eventSeverity"] == "WARNING" and fault["alarmCondition"] == "unknown"
    assert fault["faultFieldsVersion"] == "4.0" and fault["vfStatus"] == "Active"
    assert fault["alarmAdditionalInformation"]["runnerUp"] == "overload"
    assert fault["alarmAdditionalInformation"]["alarmId"] == header["eventId"]


def test_the_alarm_keeps_its_name_and_contains_the_current_condition() -> None:
    _, fault = _parts(fault_event(story()[1], PLAIN))
    assert fault["alarmCondition"] == "unknown" and fault["eventSeverity"] == "CRITICAL"
    assert fault["alarmAdditionalInformation"]["condition"] == "hss-link-down"
    assert fault["alarmAdditionalInformation"]["previousCondition"] == "unknown"


@needs_schemas
def test_a_clear_contains_who_cleared() -> None:
    event = fault_event(story()[2].clear(story()[3].changed_us, Actor("m.keller", "noc", 0)), PLAIN)
    information = _parts(event)[1]["alarmAdditionalInformation"]
    assert (information["clearedBy"], information["clearedOnSystem"]) == ("m.keller", "noc")
    assert not list(errors(event, ves(), ves()))
    assert "clearedBy" not in _parts(fault_event(story()[3], PLAIN))[1]["alarmAdditionalInformation"]


@pytest.mark.parametrize(
    ("severity", "ves_severity", "priority"),
    [
        (Severity.CRITICAL, "CRITICAL", "High"),
        (Severity.MAJOR, "MAJOR", "High"),
        (Severity.MINOR, "MINOR", "Medium"),
        (Severity.WARNING, "WARNING", "Normal"),
        (Severity.INDETERMINATE, "WARNING", "Normal"),
    ],
)
def test_severities(severity: Severity, ves_severity: str, priority: str) -> None:
    begun = Incident.begin("n", "", "c", severity, 0, 0)
    for incident, expected in ((begun, ves_severity), (begun.clear(1), "NORMAL")):
        header, fault = _parts(fault_event(incident, PLAIN))
        assert (fault["eventSeverity"], header["priority"]) == (expected, priority)


def test_the_inventory_names_the_source() -> None:
    known = VesSettings(inventory={"pcscf1": InventoryElement("vnf-1", "de305d54-75b4-431b-adb2-eb6b9e546014")})
    header, _ = _parts(fault_event(story()[0], known))
    assert (header["sourceName"], header["sourceId"]) == ("vnf-1", "de305d54-75b4-431b-adb2-eb6b9e546014")
    other, _ = _parts(fault_event(story()[0], PLAIN))
    assert other["sourceId"] != header["sourceId"] and len(other["sourceId"]) == 36


def test_a_publisher_may_have_a_vendor() -> None:
    header, _ = _parts(fault_event(story()[0], VesSettings(publisher="Faultprint-Some Vendor_x")))
    assert header["eventName"] == "Fault_Faultprint-SomeVendorx_Unknown"


@given(histories(), settings_of_ves)
@settings(max_examples=60)
def test_an_alarm_is_one_from_raise_to_clear(history: tuple[Incident, ...], custom: VesSettings) -> None:
    events = [fault_event(incident, custom) for incident in history]
    for event in events:
        assert len(to_json(event)) < 100_000
        header, fault = _parts(event)
        assert all(
            text.isprintable() for text in (*map(str, header.values()), *fault["alarmAdditionalInformation"].values())
        )
        assert not any(character.isspace() for character in fault["alarmCondition"] + header["eventId"])
    assert len({tuple(_parts(event)[0][name] for name in IDENTITY) for event in events}) == 1
    assert len({(_parts(event)[1]["alarmCondition"], _parts(event)[1]["specificProblem"]) for event in events}) == 1
    assert [_parts(event)[0]["sequence"] for event in events] == list(range(1, len(events) + 1))
    cleared = [_parts(event)[1]["eventSeverity"] == "NORMAL" for event in events]
    assert cleared == [incident.cleared_us is not None for incident in history]


@needs_schemas
@given(histories(), settings_of_ves)
@settings(max_examples=60)
def test_any_incident_is_valid(history: tuple[Incident, ...], custom: VesSettings) -> None:
    schema = ves()
    for incident in history:
        event = json.loads(to_json(fault_event(incident, custom)))
        assert not list(errors(event, schema, schema))


ROW = {"node": "pcscf1", "network": "north", "observed": 0.5, "in.bye.attempts": 7.0, "node.ser": None}


def test_a_measurement() -> None:
    counters = (
        MeasurementCounter("in.bye.attempts"),
        MeasurementCounter("node.ser"),
        MeasurementCounter("in.bye.timeout_share"),
        MeasurementCounter("node.open", "Open", "G"),
    )
    row = ROW | {"in.bye.timeout_share": 0.25, "node.open": float("nan")}
    event = measurement_event(row, counters, PLAIN, minute_us=600_000_000)["event"]
    header, fields = event["commonEventHeader"], event["measurementFields"]
    assert (header["startEpochMicrosec"], header["lastEpochMicrosec"]) == (600_000_000, 660_000_000)
    assert header["sequence"] == 0 and header["domain"] == "measurement"
    assert fields["measurementInterval"] == 60
    # A counter without a value (null, NaN) is left out, and so is a group without counters.
    assert fields["additionalMeasurements"] == [
        {"name": "in.bye", "hashMap": {"attempts": "7", "timeoutShare": "0.25"}}
    ]
    assert fields["additionalFields"] == {"network": "north", "observed": "0.5"}


def test_a_measurement_as_objects_contains_numbers() -> None:
    event = measurement_event(ROW, [MeasurementCounter("in.bye.attempts")], PLAIN, minute_us=0, as_objects=True)
    (found,) = event["event"]["measurementFields"]["additionalObjects"]
    assert found == {
        "objectName": "in.bye",
        "objectInstances": [{"objectInstance": {"attempts": 7}, "objectInstanceEpochMicrosec": 0}],
    }


def test_the_event_id_of_a_measurement_is_unique_and_stable() -> None:
    def event_id(node: str, minute_us: int) -> str:
        event = measurement_event(ROW | {"node": node}, [], PLAIN, minute_us=minute_us)
        return str(event["event"]["commonEventHeader"]["eventId"])

    assert event_id("a", 0) == event_id("a", 0)
    assert len({event_id("a", 0), event_id("b", 0), event_id("a", 60_000_000)}) == 3


def test_counters_with_the_same_name_are_refused() -> None:
    with pytest.raises(UsageError, match="have the name"):
        measurement_event(ROW, [MeasurementCounter("a.x"), MeasurementCounter("b.x", group="a")], PLAIN, minute_us=0)


def test_the_whole_catalogue_fits() -> None:
    row = {"node": "n" * 500, "network": "x" * 500, "observed": 1.0} | dict.fromkeys(SIP_CATALOGUE.names, 1 / 3)
    event = measurement_event(row, [MeasurementCounter(name) for name in SIP_CATALOGUE.names], PLAIN, minute_us=0)
    groups = event["event"]["measurementFields"]["additionalMeasurements"]
    assert sum(len(group["hashMap"]) for group in groups) == len(SIP_CATALOGUE)
    assert len(to_json(event)) < 20_000


@needs_schemas
@given(st.dictionaries(texts, numbers, max_size=8), texts, texts, st.booleans(), settings_of_ves)
@settings(max_examples=60)
def test_any_measurement_is_valid(
    row: dict[str, Any], node: str, network: str, as_objects: bool, custom: VesSettings
) -> None:
    counters = [MeasurementCounter(name, name=f"c{index}") for index, name in enumerate(row)]
    whole = {**row, "node": node, "network": network}
    event = measurement_event(whole, counters, custom, minute_us=0, as_objects=as_objects)
    assert not list(errors(json.loads(to_json(event)), ves(), ves()))


def _event(domain: str, size: int) -> dict[str, Any]:
    return {"event": {"commonEventHeader": {"domain": domain}, "filling": "x" * size}}


@given(
    st.lists(st.tuples(st.sampled_from(("fault", "measurement")), st.integers(0, 400)), max_size=30),
    st.integers(1, 5),
    st.integers(500, 2000),
)
def test_batches_keep_all_events_mix_no_domains_and_keep_the_limits(
    kinds: list[tuple[str, int]], max_events: int, max_bytes: int
) -> None:
    events = [_event(domain, size) for domain, size in kinds]
    batch_list = list(batches(events, max_events=max_events, max_bytes=max_bytes))
    assert [inner for batch in batch_list for inner in batch["eventList"]] == [event["event"] for event in events]
    for batch in batch_list:
        assert 1 <= len(batch["eventList"]) <= max_events
        assert len(to_json(batch)) <= max_bytes
        assert len({event["commonEventHeader"]["domain"] for event in batch["eventList"]}) == 1


def test_an_event_that_fits_no_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit"):
        list(batches([_event("fault", 1000)], max_bytes=500))
    with pytest.raises(UsageError, match="Batches of 0"):
        list(batches([], max_events=0))


@needs_schemas
def test_a_batch_is_valid() -> None:
    schema = ves()
    (batch,) = batches(fault_event(incident, PLAIN) for incident in story())
    assert not list(errors(batch, schema, schema))
    assert len(batch["eventList"]) == 4


def test_evidence_is_bounded() -> None:
    many = Explanation(evidence=tuple(f"feature {number}" for number in range(1000)))
    event = fault_event(Incident.begin("n", "", "c", Severity.MAJOR, 0, 0, many), PLAIN)
    information = _parts(event)[1]["alarmAdditionalInformation"]
    assert [name for name in information if name.startswith("evidence")] == [
        f"evidence{number}" for number in range(1, 9)
    ]
