from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings

from faultprint.errors import UsageError
from faultprint.publish.incident import (
    MAX_COMMENTS,
    MAX_TIME_US,
    Actor,
    AlarmState,
    Change,
    Comment,
    Explanation,
    Incident,
    IncidentOperation,
    Severity,
    identity_of,
)
from faultprint_lab.pages.publish import story

from .strategies import histories

MINUTE = 60_000_000


def _begin(onset_us: int = 10 * MINUTE) -> Incident:
    return Incident.begin("pcscf1", "north", "overload", Severity.MAJOR, onset_us, onset_us + MINUTE)


def test_the_identity_depends_only_on_node_and_minute() -> None:
    # Other systems store this identity, so it must not change from one release to the next.
    assert str(identity_of("pcscf1", 1_767_604_200_000_000)) == "80cecbcb-9915-55ed-9ee5-5af879eec515"
    assert identity_of("pcscf1", 0) == identity_of("pcscf1", MINUTE - 1) != identity_of("pcscf1", MINUTE)
    assert identity_of("pcscf1", 0) != identity_of("pcscf2", 0)
    assert identity_of("\ud800", 0) != identity_of("?", 0)


def test_the_changes_of_an_incident() -> None:
    begun, named, seen, cleared = story()
    assert [i.state for i in story()] == [AlarmState.ONSET, AlarmState.CHANGED, AlarmState.CHANGED, AlarmState.CLEARED]
    assert [i.change for i in story()] == [Change.ONSET, Change.DIAGNOSIS, Change.ACKNOWLEDGEMENT, Change.CLEAR]
    assert [i.sequence for i in story()] == [1, 2, 3, 4]
    assert [i.condition_changed for i in story()] == [False, True, False, False]
    assert (begun.condition, begun.previous_condition) == ("unknown", None)
    assert (named.condition, named.previous_condition, named.initial_condition) == (
        "hss-link-down",
        "unknown",
        "unknown",
    )
    assert (seen.acknowledged_by and seen.acknowledged_by.user) == "m.keller"
    assert cleared.cleared_us == cleared.changed_us and cleared.onset_us == begun.onset_us


def test_a_clear_by_an_operator_keeps_who_cleared_it() -> None:
    actor = Actor("m.keller", "noc", 20 * MINUTE)
    by_operator = _begin().apply(IncidentOperation.CLEAR, actor)
    assert by_operator.cleared_by == actor and by_operator.cleared_us == 20 * MINUTE
    assert _begin().clear(20 * MINUTE).cleared_by is None
    assert by_operator.acknowledge(Actor("a", "b", 30 * MINUTE)).cleared_by == actor


def test_an_acknowledged_incident_is_not_acknowledged_again() -> None:
    acknowledged = _begin().acknowledge(Actor("m.keller", "noc", 0))
    for actor in (Actor("m.keller", "noc", 1), Actor("other", "noc", 1)):
        with pytest.raises(UsageError, match=r"already acknowledged by m\.keller"):
            acknowledged.acknowledge(actor)
    assert acknowledged.unacknowledge(2).acknowledge(Actor("other", "noc", 3)).sequence == 4


def test_an_incident_that_is_not_acknowledged_is_not_unacknowledged() -> None:
    for incident in (_begin(), _begin().acknowledge(Actor("a", "b", 0)).unacknowledge(1)):
        with pytest.raises(UsageError, match="is not acknowledged"):
            incident.unacknowledge(2)


def test_another_severity_is_not_another_condition() -> None:
    worse = _begin().diagnose("overload", Severity.CRITICAL, 20 * MINUTE, Explanation())
    assert worse.change is Change.DIAGNOSIS and not worse.condition_changed and worse.previous_condition is None


def test_a_cleared_incident_stays_cleared_but_can_be_commented() -> None:
    cleared = _begin().clear(20 * MINUTE)
    for operation in (lambda: cleared.clear(0), lambda: cleared.diagnose("x", Severity.MINOR, 0, Explanation())):
        with pytest.raises(UsageError, match="is cleared"):
            operation()
    after = cleared.acknowledge(Actor("a", "b", 30 * MINUTE)).comment(Comment(Actor("a", "b", 0), "seen"))
    assert after.state is AlarmState.CLEARED and after.cleared_us == 20 * MINUTE


def test_time_does_not_go_back() -> None:
    early = _begin().acknowledge(Actor("a", "b", 0))
    assert early.changed_us == 11 * MINUTE and early.acknowledged_by == Actor("a", "b", 0)
    assert early.clear(5).cleared_us == 11 * MINUTE


@pytest.mark.parametrize("onset_us", [-1, MAX_TIME_US + 1])
def test_times_outside_the_calendar_are_refused(onset_us: int) -> None:
    with pytest.raises(UsageError, match="not between the years"):
        _begin(onset_us)


def test_the_number_of_comments_is_limited() -> None:
    incident = _begin()
    for _ in range(MAX_COMMENTS):
        incident = incident.comment(Comment(Actor("a", "b", 0), "again"))
    with pytest.raises(UsageError, match="256 comments"):
        incident.comment(Comment(Actor("a", "b", 0), "once more"))


@given(histories())
@settings(max_examples=80)
def test_an_incident_has_one_identity_and_one_event_for_each_change(history: tuple[Incident, ...]) -> None:
    assert {incident.identity for incident in history} == {history[0].identity}
    assert len({incident.event_id for incident in history}) == len(history)
    assert [incident.sequence for incident in history] == list(range(1, len(history) + 1))
    assert all(a.changed_us <= b.changed_us for a, b in pairwise(history))
    assert all(incident.onset_us <= incident.changed_us for incident in history)
