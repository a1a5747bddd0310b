"""An incident's own text: reads back equal whatever was said, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from faultprint.errors import UsageError
from faultprint.publish import stored
from faultprint.publish.incident import Incident

from .strategies import lives


@settings(max_examples=50)
@given(lives())
def test_every_incident_reads_back_equal(life: tuple[Incident, ...]) -> None:
    for incident in life:
        text = stored.dump(incident)
        assert stored.dump(stored.load(text)) == text  # NaN in the grounds equals nothing, but its text does
        assert stored.load(text).event_id == incident.event_id


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"identity": "x"}', '{"strange": 1}', "[" * 10_000])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="stored incident"):
        stored.load(text)
