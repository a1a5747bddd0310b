from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.publish.control_loop import ControlLoopSettings, Target, TimeUnit, control_loop_events
from faultprint.publish.incident import Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement
from faultprint.publish.text import to_json
from faultprint_lab.pages.publish import story

from .schema import control_loop, errors, load, needs_schemas
from .strategies import elements, histories, texts

MINUTE = 60_000_000
ALWAYS = ControlLoopSettings(default="Loop")
TIMES = ("closedLoopAlarmStart", "closedLoopAlarmEnd")
settings_of_loops = st.builds(
    ControlLoopSettings,
    loops=st.dictionaries(st.sampled_from(("unknown", "hss-link-down", "overload")), texts),
    default=texts,
    client=texts,
    target=st.sampled_from(Target),
    time_unit=st.sampled_from(TimeUnit),
    policy_name=texts,
    policy_scope=texts,
    policy_version=texts,
    inventory=st.one_of(st.just({}), elements.map(lambda element: {"": element, "hss link down": element})),
)


def _all_events(history: tuple[Incident, ...], custom: ControlLoopSettings) -> list[dict[str, Any]]:
    return [event for incident in history for event in control_loop_events(incident, custom)]


def _begin(condition: str) -> Incident:
    return Incident.begin("pcscf1", "north", condition, Severity.MAJOR, 10 * MINUTE, 12 * MINUTE)


def _diagnosed(incident: Incident, condition: str, minute: int) -> Incident:
    return incident.diagnose(condition, Severity.MAJOR, minute * MINUTE, Explanation())


def test_one_loop_for_all_has_one_onset_and_one_end() -> None:
    onset, abated = _all_events(story(), ALWAYS)
    assert (onset["closedLoopEventStatus"], abated["closedLoopEventStatus"]) == ("ONSET", "ABATED")
    assert onset["requestID"] == abated["requestID"] == str(story()[0].identity)
    assert onset["closedLoopAlarmStart"] == abated["closedLoopAlarmStart"] == 1_767_604_200_000
    assert "closedLoopAlarmEnd" not in onset and abated["closedLoopAlarmEnd"] == 1_767_606_720_000


def test_a_loop_begins_with_the_first_diagnosis_of_its_condition() -> None:
    onset, abated = _all_events(story(), ControlLoopSettings(loops={"hss-link-down": "Hss"}))
    assert onset["closedLoopAlarmStart"] == abated["closedLoopAlarmStart"] == 1_767_604_500_000
    assert onset["requestID"] == abated["requestID"] != str(story()[0].identity)


def test_from_one_loop_to_another_and_back() -> None:
    custom = ControlLoopSettings(loops={"a": "A", "a2": "A", "b": "B"})
    history = [_begin("a")]
    for minute, condition in ((20, "a2"), (30, "b"), (40, "a"), (50, "none")):
        history.append(_diagnosed(history[-1], condition, minute))
    history.append(history[-1].clear(60 * MINUTE))
    events = _all_events(tuple(history), custom)
    assert [(event["closedLoopControlName"], event["closedLoopEventStatus"]) for event in events] == [
        ("A", "ONSET"),
        ("A", "ABATED"),
        ("B", "ONSET"),
        ("B", "ABATED"),
        ("A", "ONSET"),
        ("A", "ABATED"),
    ]
    starts = [event["closedLoopAlarmStart"] // 60_000 for event in events]
    ends = [event["closedLoopAlarmEnd"] // 60_000 for event in events[1::2]]
    assert starts == [10, 10, 30, 30, 40, 40] and ends == [30, 40, 50]
    requests = [event["requestID"] for event in events]
    assert requests[0::2] == requests[1::2] and len(set(requests)) == 3


def test_operators_and_severities_send_nothing() -> None:
    begun = _begin("a")
    actor = Actor("a", "b", 0)
    for incident in (
        begun.acknowledge(actor),
        begun.comment(Comment(actor, "c")),
        begun.diagnose("a", Severity.CRITICAL, 20 * MINUTE, Explanation(1.0)),
        begun.clear(20 * MINUTE).acknowledge(actor),
    ):
        assert control_loop_events(incident, ALWAYS) == ()


def test_targets_and_units() -> None:
    inventory = {"pcscf1": InventoryElement("vm-1", "id-1", {"vserver.prov-status": "ACTIVE"})}
    for target, kind, value in ((Target.VNF, "VNF", "id-1"), (Target.VM, "VM", "vm-1")):
        custom = ControlLoopSettings(
            default="L", target=target, time_unit=TimeUnit.MICROSECONDS, inventory=inventory, policy_name="p"
        )
        (event,) = control_loop_events(_begin("a"), custom)
        assert (event["target_type"], event["target"], event["AAI"][target.value]) == (kind, target.value, value)
        assert event["AAI"]["vserver.prov-status"] == "ACTIVE"
        assert event["closedLoopAlarmStart"] == 10 * MINUTE and event["policyName"] == "p"
    (plain,) = control_loop_events(_begin("a"), ALWAYS)
    assert plain["AAI"] == {"generic-vnf.vnf-id": "pcscf1"} and "policyName" not in plain


@given(histories(), settings_of_loops)
@settings(max_examples=80)
def test_every_onset_has_an_end_and_only_status_and_end_differ(
    history: tuple[Incident, ...], custom: ControlLoopSettings
) -> None:
    events = _all_events(history, custom)
    assert [event["closedLoopEventStatus"] for event in events] == ["ONSET", "ABATED"] * (len(events) // 2)
    for onset, abated in zip(events[0::2], events[1::2], strict=True):
        assert onset.keys() | {"closedLoopAlarmEnd"} == abated.keys()
        differing = {name for name in onset if onset[name] != abated[name]}
        assert differing == {"closedLoopEventStatus"}
        assert onset["closedLoopAlarmStart"] <= abated["closedLoopAlarmEnd"]
        assert len(to_json(abated)) < 150_000
    assert len({event["requestID"] for event in events}) == len(events) // 2


@given(histories(), settings_of_loops)
@settings(max_examples=40)
def test_the_types_are_those_of_the_samples_and_no_score_is_included(
    history: tuple[Incident, ...], custom: ControlLoopSettings
) -> None:
    for event in _all_events(history, custom):
        for name, value in event.items():
            assert type(value) is (int if name in TIMES else dict if name == "AAI" else str)
        assert all(isinstance(value, str) for value in event["AAI"].values())
        assert not {"distance", "margin", "evidence", "comment"} & event.keys()


@needs_schemas
@given(histories(), settings_of_loops)
@settings(max_examples=60)
def test_any_event_is_valid(history: tuple[Incident, ...], custom: ControlLoopSettings) -> None:
    schema = control_loop()
    for event in _all_events(history, custom):
        assert not list(errors(json.loads(to_json(event)), schema, schema))
        assert event.keys() <= schema["properties"].keys()


@needs_schemas
@pytest.mark.parametrize("index", [0, 1])
def test_each_field_of_the_published_sample_is_present_with_its_type(index: int) -> None:
    sample = load("control-loop/sample-onset-vcpe.json")
    event = _all_events(story(), ALWAYS)[index]
    assert sample.keys() <= event.keys()
    assert {name: type(event[name]) for name in sample} == {name: type(value) for name, value in sample.items()}
    for name in ("from", "version", "target", "target_type"):
        assert event[name] == sample[name]
    # 13 digits: milliseconds, as in the sample.
    assert len(str(event["closedLoopAlarmStart"])) == len(str(sample["closedLoopAlarmStart"]))
