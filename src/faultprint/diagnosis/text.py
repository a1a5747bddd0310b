"""A diagnosis as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from faultprint.diagnosis.heard import heard_operations, heard_seconds
from faultprint.diagnosis.node import DiagnosedIncident, NodeDiagnosis, NormalSource
from faultprint.features.wording import evidence_in_words
from faultprint.pretrained.conditions import condition_texts, title
from faultprint.tables import NORMAL
from faultprint.units import MINUTE_US

MAX_REASONS: Final = 3
_SURE: Final = 0.8
"""With a lower probability, the second condition is named too."""


def node_facts(node: NodeDiagnosis) -> dict[str, Any]:
    """One node, for JSON."""
    return {
        "node": node.series.node,
        "network": node.series.network,
        "begin": _iso(node.series.first_us),
        "end": _iso(_end_us(node)),
        "observed_minutes": node.observed,
        "judged_minutes": node.judged_minutes,
        "faulty_minutes": node.faulty_minutes,
        "baseline": node.kind.value,
        "baseline_suspects": list(node.suspects),
        "needed_minutes": node.needed,
        "incidents": [_incident_facts(each, node) for each in node.incidents],
    }


def node_lines(node: NodeDiagnosis, conditions: int) -> Iterator[str]:
    """One node, for people. `conditions`: how many faults the library knows."""
    series = node.series
    name = series.node if series.network in ("", series.node, "network") else f"{series.node} ({series.network})"
    yield f"{name}: {_span(series.first_us, _end_us(node))} UTC, {_heard(node)} heard"
    yield f"  normal: {_normal(node, conditions)}"
    if node.judged is None:
        yield f"  too little to say: a verdict needs {node.needed} minutes, this has {_heard(node)}"
        yield from _heard_lines(node)
        return
    yield f"  judged: {duration(node.judged_minutes)}, {duration(node.faulty_minutes)} of them faulty"
    if not node.incidents:
        yield "  no fault found"
    for number, each in enumerate(node.incidents, 1):
        yield ""
        yield from _incident_lines(number, each, node)


def _normal(node: NodeDiagnosis, conditions: int) -> str:
    known = count_of(conditions, "known fault")
    looked = f"; earlier minutes looked like {', '.join(map(title, node.suspects))}" if node.suspects else ""
    if node.kind is NormalSource.FIRST and node.judged is not None:
        hour = node.judged.selected.minutes.nonzero()[0]
        first, last = node.series.first_us, node.series.interval_us
        span = _span(first + int(hour[0]) * last, first + (int(hour[-1]) + 1) * last)
        return f"its own traffic, {span}; it looks like none of the {known}{looked}"
    if node.kind is NormalSource.GIVEN:
        return f"the traffic that was given as the baseline{looked}"
    if node.kind is NormalSource.POPULATION:
        why = looked or "; it has no hour of its own to compare with"
        return f"the mean of many networks, which is less sure{why}"
    return "not known yet"


def _incident_lines(number: int, each: DiagnosedIncident, node: NodeDiagnosis) -> Iterator[str]:
    incident, name = each.incident, title(each.incident.condition)
    if each.runner_up not in (None, NORMAL) and each.probability is not None and each.probability < _SURE:
        name += f", or {title(each.runner_up or '')}"
    sure = "" if each.probability is None else f", {100 * each.probability:.0f} % sure"
    end = "still there at the end" if incident.cleared_us is None else f"until {_clock(incident.cleared_us)}"
    minutes = ((incident.cleared_us or _end_us(node)) - incident.onset_us) // MINUTE_US
    yield f"  {number}. {name}{sure}"
    yield f"     from {_clock(incident.onset_us)} {end}, {duration(minutes)}"
    for line in each.evidence[:MAX_REASONS]:
        yield f"     - {evidence_in_words(line)}"
    if each.resembles:
        yield f"     resembles: {each.resembles}"
    if text := condition_texts().get(incident.condition):
        yield f"     meaning: {text.meaning}"
        yield f"     check: {'; '.join(text.checks)}"
        yield f"     cure: {text.cure}"


def _heard_lines(node: NodeDiagnosis) -> Iterator[str]:
    operations = heard_operations(node.minutes)
    if not operations:
        return
    yield ""
    yield f"  {'what was heard':<28} {'requests':>9} {'success':>9} {'timeout':>9} {'5xx':>6} {'95 % within':>12}"
    for each in operations:
        shares = (_share(each.success), _share(each.timeout), _share(each.server_error))
        delay = "" if each.delay_s is None else f"{each.delay_s:.2g} s"
        yield f"  {each.name:<28} {each.attempts:>9,} {shares[0]:>9} {shares[1]:>9} {shares[2]:>6} {delay:>12}"


def _incident_facts(each: DiagnosedIncident, node: NodeDiagnosis) -> dict[str, Any]:
    incident, end_us = each.incident, each.incident.cleared_us
    return {
        "id": str(incident.identity),
        "condition": incident.condition,
        "title": title(incident.condition),
        "onset": _iso(incident.onset_us),
        "end": None if end_us is None else _iso(end_us),
        "minutes": ((end_us or _end_us(node)) - incident.onset_us) // MINUTE_US,
        "probability": None if each.probability is None else round(each.probability, 3),
        "runner_up": each.runner_up,
        "reasons": [evidence_in_words(line) for line in each.evidence],
        "evidence": list(each.evidence),
        "resembles": each.resembles,
    }


def diagnosis_summary(nodes: Sequence[NodeDiagnosis]) -> str:
    """The last line: how many incidents there are."""
    incidents = sum(len(node.incidents) for node in nodes)
    if not incidents and all(node.judged is None for node in nodes):
        return "No verdict: there is too little traffic. Capture an hour of normal traffic, and go on."
    return f"{count_of(incidents, 'incident')} on {count_of(len(nodes), 'node')}."


def count_of(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(minutes: int) -> str:
    """Minutes as people say them."""
    return f"{minutes / 60:.1f} hours" if minutes >= 120 else count_of(minutes, "minute")


def _heard(node: NodeDiagnosis) -> str:
    seconds = heard_seconds(node.minutes, node.series.interval_us)
    return duration(round(seconds / 60)) if seconds >= 90 else count_of(round(seconds), "second")


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _end_us(node: NodeDiagnosis) -> int:
    return node.series.first_us + len(node.series) * node.series.interval_us


def _span(begin_us: int, end_us: int) -> str:
    begin, end = _moment(begin_us), _moment(end_us)
    until = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{begin:%Y-%m-%d %H:%M} to {until}"


def _clock(moment_us: int) -> str:
    return f"{_moment(moment_us):%Y-%m-%d %H:%M}"


def _moment(moment_us: int) -> datetime:
    return datetime.fromtimestamp(moment_us / 1e6, UTC)


def _iso(moment_us: int) -> str:
    return _moment(moment_us).isoformat(timespec="seconds")
