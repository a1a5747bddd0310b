"""The stored text of an incident: decoding inverts encoding, and any other text is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from faultprint.errors import UsageError
from faultprint.publish import incident_codec
from faultprint.publish.incident import Actor, Comment, Incident
from faultprint_lab.pages.publish import story

from .strategies import histories


@settings(max_examples=50)
@given(histories())
def test_every_incident_survives_encoding_and_decoding(history: tuple[Incident, ...]) -> None:
    for incident in history:
        text = incident_codec.dump(incident)
        assert (
            incident_codec.dump(incident_codec.load(text)) == text
        )  # compare texts, because NaN is not equal to itself
        assert incident_codec.load(text).event_id == incident.event_id


def test_an_incident_of_an_older_state_has_no_actor_that_cleared_it() -> None:
    document = json.loads(incident_codec.dump(story()[3]))
    del document["cleared_by"]
    assert incident_codec.load(json.dumps(document)).cleared_by is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"identity": "x"}', '{"strange": 1}', "[" * 10_000])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="stored incident"):
        incident_codec.load(text)


def test_stored_names_do_not_change() -> None:
    incident = story()[2].comment(Comment(Actor("m.keller", "noc", 0), "on it"))
    document = json.loads(incident_codec.dump(incident))
    assert list(document) == [
        "identity",
        "node",
        "network",
        "spells",
        "severity",
        "sequence",
        "change",
        "changed_us",
        "cleared_us",
        "grounds",
        "acknowledged",
        "comments",
        "cleared_by",
    ]
    assert document["spells"][1] == {"condition": "hss-link-down", "since_us": 1_767_604_500_000_000, "sequence": 2}
    assert document["grounds"].keys() == {"distance", "runner_up", "margin", "evidence", "probability"}
    assert document["acknowledged"] == {"user": "m.keller", "system": "noc", "time_us": 1_767_604_740_000_000}
    assert document["comments"] == [{"by": {"user": "m.keller", "system": "noc", "time_us": 0}, "text": "on it"}]
