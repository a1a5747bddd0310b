"""Any incident: lives of any length, texts that mean harm, numbers that are none."""

from __future__ import annotations

from hypothesis import strategies as st

from faultprint.publish.incident import LATEST_US, Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.ves.inventory import Element

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
times = st.integers(0, LATEST_US)
numbers = st.one_of(st.none(), st.floats(width=32))
severities = st.sampled_from(Severity)
people = st.builds(Actor, texts, texts, times)
grounds = st.builds(Explanation, numbers, st.one_of(st.none(), texts), numbers, st.lists(texts, max_size=20).map(tuple))
elements = st.builds(Element, texts, texts, st.dictionaries(texts, texts, max_size=50))


@st.composite
def lives(draw: st.DrawFn) -> tuple[Incident, ...]:
    """An incident after each of its changes, from onset to clear, and what may follow the clear."""
    conditions = st.one_of(st.sampled_from(("unknown", "hss-link-down", "overload")), texts)
    onset = draw(times)
    life = [
        Incident.begin(draw(texts), draw(texts), draw(conditions), draw(severities), onset, draw(times), draw(grounds))
    ]
    for step in (*draw(st.lists(st.sampled_from("dack"), max_size=6)), "!", *draw(st.lists(st.sampled_from("ac")))[:2]):
        now = life[-1]
        match step:
            case "d":
                now = now.diagnose(draw(conditions), draw(severities), draw(times), draw(grounds))
            case "a" if now.acknowledged is None:
                now = now.acknowledge(draw(people))
            case "c":
                now = now.comment(Comment(draw(people), draw(texts)))
            case "k" if now.acknowledged is not None:
                now = now.unacknowledge(draw(times))
            case "a" | "k":
                continue  # not possible in this state
            case _:
                now = now.clear(draw(times), draw(st.one_of(st.none(), people)))
        life.append(now)
    return tuple(life)
