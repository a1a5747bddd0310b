"""Random incidents: histories of any length, hostile texts, NaN and infinity."""

from __future__ import annotations

from hypothesis import strategies as st

from faultprint.publish.incident import MAX_TIME_US, Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement

HOSTILE = (
    "",
    " ",
    "\x00\x1b[2J\r\nHost: evil",
    "\ud800",
    "‮gnp.exe",
    "a\u2028b\u2029c",
    '"},"event":{"',
    "</script><script>alert(1)</script>",
    "x" * 100_000,
    "\u0300" * 5_000,
    "🜁" * 3_000,
    "hss link down",
    "hss-link-down",
)

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=40))
times = st.integers(0, MAX_TIME_US)
numbers = st.one_of(st.none(), st.floats(width=32))
severities = st.sampled_from(Severity)
actors = st.builds(Actor, texts, texts, times)
explanations = st.builds(
    Explanation, numbers, st.one_of(st.none(), texts), numbers, st.lists(texts, max_size=20).map(tuple)
)
elements = st.builds(InventoryElement, texts, texts, st.dictionaries(texts, texts, max_size=50))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Incident, ...]:
    """An incident after each of its changes, from onset to clear, and after further changes."""
    conditions = st.one_of(st.sampled_from(("unknown", "hss-link-down", "overload")), texts)
    onset = draw(times)
    history = [
        Incident.begin(
            draw(texts), draw(texts), draw(conditions), draw(severities), onset, draw(times), draw(explanations)
        )
    ]
    for step in (*draw(st.lists(st.sampled_from("dack"), max_size=6)), "!", *draw(st.lists(st.sampled_from("ac")))[:2]):
        incident = history[-1]
        match step:
            case "d":
                incident = incident.diagnose(draw(conditions), draw(severities), draw(times), draw(explanations))
            case "a" if incident.acknowledged_by is None:
                incident = incident.acknowledge(draw(actors))
            case "c":
                incident = incident.comment(Comment(draw(actors), draw(texts)))
            case "k" if incident.acknowledged_by is not None:
                incident = incident.unacknowledge(draw(times))
            case "a" | "k":
                continue  # not possible in this state
            case _:
                incident = incident.clear(draw(times), draw(st.one_of(st.none(), actors)))
        history.append(incident)
    return tuple(history)
