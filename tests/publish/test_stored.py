"""An incident's own text: reads back equal whatever was said, and nothing else is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from faultprint.errors import UsageError
from faultprint.publish import stored
from faultprint.publish.incident import Incident
from faultprint_lab.pages.publish import story

from .strategies import lives


@settings(max_examples=50)
@given(lives())
def test_every_incident_reads_back_equal(life: tuple[Incident, ...]) -> None:
    for incident in life:
        text = stored.dump(incident)
        assert stored.dump(stored.load(text)) == text  # NaN in the grounds equals nothing, but its text does
        assert stored.load(text).event_id == incident.event_id


def test_an_incident_of_an_older_state_has_no_actor_that_cleared_it() -> None:
    document = json.loads(stored.dump(story()[3]))
    del document["cleared_by"]
    assert stored.load(json.dumps(document)).cleared_by is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"identity": "x"}', '{"strange": 1}', "[" * 10_000])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="stored incident"):
        stored.load(text)
