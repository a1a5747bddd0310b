"""docs/reference/publish.md, its examples made by the encoders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from faultprint.publish.control_loop import TOPIC, ControlLoopSettings, control_loop_events
from faultprint.publish.incident import Actor, Change, Explanation, Incident, Severity
from faultprint.publish.record import line
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.http import outcome_of
from faultprint.publish.tmf642.alarm import LISTENERS, AlarmSettings, AlarmType, notification
from faultprint.publish.tmf642.query import DEFAULT_LIMIT, FILTERS, LIMIT
from faultprint.publish.tmf642.task import TaskKind
from faultprint.publish.ves.batch import LARGEST
from faultprint.publish.ves.event import BATCH_PATH, EVENT_PATH, HEADERS, VesSettings, fault_event
from faultprint.publish.ves.inventory import Element
from faultprint.publish.ves.measurement import Counter, measurement_event
from faultprint.publish.webhook import CONTENT_TYPE, SIGNATURE, WebhookSettings, webhook_body

_MINUTE: Final = 60_000_000
_ONSET: Final = 1_767_604_200_000_000  # 2026-01-05T09:10:00Z
_INVENTORY: Final[Mapping[str, Element]] = {
    "pcscf1": Element(
        "ims-pcscf-0001",
        "de305d54-75b4-431b-adb2-eb6b9e546014",
        {"generic-vnf.is-closed-loop-disabled": "false", "generic-vnf.prov-status": "ACTIVE"},
    )
}
_VES: Final = VesSettings(reporting_entity="faultprint-0001", nf_naming_code="pcsf", inventory=_INVENTORY)
_LOOPS: Final = ControlLoopSettings(loops={"hss-link-down": "ControlLoop-HssLink-1b1a53e4"}, inventory=_INVENTORY)
_ALARMS: Final = AlarmSettings(
    types={"hss-link-down": AlarmType.COMMUNICATIONS},
    causes={"hss-link-down": "communicationsSubsystemFailure"},
    inventory=_INVENTORY,
)


def story() -> tuple[Incident, ...]:
    """An incident's whole life, of which the page tells: onset as unknown, diagnosis, acknowledgement, clear."""
    unsure = Explanation(1.8125, "overload", 0.25, ("in.register_initial.timeout_share +0.43 (normal 0.01)",))
    sure = Explanation(0.40625, "overload", 1.6875, ("in.register_initial.timeout_share +0.88 (normal 0.01)",))
    begun = Incident.begin(
        "pcscf1", "north", "unknown", Severity.WARNING, _ONSET, now_us=_ONSET + 2 * _MINUTE, grounds=unsure
    )
    named = begun.diagnose("hss-link-down", Severity.CRITICAL, _ONSET + 5 * _MINUTE, sure)
    seen = named.acknowledge(Actor("m.keller", "noc", _ONSET + 9 * _MINUTE))
    return begun, named, seen, seen.clear(_ONSET + 42 * _MINUTE)


def page() -> str:
    """The page as Markdown."""
    begun, named, seen, cleared = story()
    row = {"node": "pcscf1", "network": "north", "observed": 1.0, "in.register_initial.attempts": 412.0}
    row |= {"in.register_initial.timeout_share": 0.8859, "node.ser": None}
    counters = (
        Counter("in.register_initial.attempts", "UR.AttInitReg", "TS32409"),
        Counter("in.register_initial.timeout_share"),
        Counter("node.ser"),
    )
    parts = [
        _INTRODUCTION,
        _table(("for", "where to", "encoder"), iter(_SINKS)),
        _IDENTITY_TEXT,
        _VES_TEXT,
        _example("The clear", fault_event(cleared, _VES)),
        _MEASUREMENT_TEXT,
        _example(
            "A minute, three counters chosen, one of them without a value",
            measurement_event(row, counters, _VES, minute_us=_ONSET),
        ),
        _LOOP_TEXT,
        *(_example("The diagnosis starts the loop", event) for event in control_loop_events(named, _LOOPS)),
        *(_example("The clear ends it", event) for event in control_loop_events(cleared, _LOOPS)),
        _KAFKA_TEXT,
        _ALARM_TEXT,
        _table(("change", "eventType", "posted to the callback's"), _notifications()),
        _example("The acknowledgement", notification(seen, _ALARMS)),
        _api_text(),
        _RECORD_TEXT,
        f"```json\n{line(begun).decode()}```\n",
        _WEBHOOK_TEXT,
        _example("The onset", webhook_body(begun, WebhookSettings())),
        _SENDER_TEXT,
        _table(("answer", "outcome"), _outcomes()),
        _DELIVERY_TEXT,
    ]
    return "\n".join(parts)


def _example(title: str, value: Mapping[str, Any]) -> str:
    return f"{title}:\n\n```json\n{json.dumps(value, indent=2)}\n```\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _notifications() -> Iterator[tuple[str, ...]]:
    """What notification tells which change, asked of the encoder."""
    person = Actor("m.keller", "noc", _ONSET)
    begun = story()[0]
    for incident in (
        begun,
        begun.diagnose("overload", Severity.MAJOR, _ONSET, Explanation()),
        begun.acknowledge(person),
        begun.clear(_ONSET),
    ):
        kind = notification(incident, _ALARMS)["eventType"]
        change = "acknowledgement, comment" if incident.change is Change.ACKNOWLEDGEMENT else incident.change.value
        yield change, f"`{kind}`", f"`{LISTENERS[kind]}`"


def _outcomes() -> Iterator[tuple[str, ...]]:
    """The outcome of every status worth naming, asked of the sender."""
    statuses = (200, 202, 204, 302, 400, 401, 403, 404, 405, 407, 408, 409, 413, 415, 422, 425, 429, 500, 502, 503, 504)
    by_outcome: dict[str, list[str]] = {}
    for status in statuses:
        by_outcome.setdefault(outcome_of(status).value, []).append(str(status))
    for outcome, found in by_outcome.items():
        yield ", ".join(found), outcome
    yield "none in time, connection lost", "later"
    yield "TLS alert, certificate that does not fit", "refused"


_SINKS: Final = (
    ("a VES collector: faults", f"`POST {EVENT_PATH}`, `POST {BATCH_PATH}`", "`ves`, `ves_batch`"),
    ("a VES collector: counters", "the same", "`ves_measurement`, `ves_batch`"),
    ("the policy engine: ONSET and ABATED", f"topic `{TOPIC}`", "`control_loop`"),
    ("alarm management: TMF642", "a listener's callback; an API's answers", "`alarm`, `alarm_query`, `alarm_task`"),
    ("anything that reads files: JSON lines", "a file", "`record`"),
    ("anything that takes a POST: CloudEvents", "a URL", "`webhook`"),
)

_INTRODUCTION: Final = """\
# Publishing

What Faultprint tells other systems, and how. Encoders are pure functions of an incident and settings; senders know nothing
of incidents. This page and all examples on it are generated by `faultprint.publish`.
"""

_IDENTITY_TEXT: Final = """\
An **incident** has one identity from onset to clear: a version 5 UUID of node and onset minute. Every **change** of it
(onset, diagnosis, acknowledgement, comment, clear) counts `sequence` up from 1 and has an event id of its own, a version 5
UUID of identity and sequence. A monitor that starts anew after a crash derives the same ids, also those of the messages.

Names and sentences from outside are put on one line, stripped of what cannot be printed, and bounded; numbers that are none
are left out; all JSON is ASCII. The examples tell one story: an incident begins as unknown, is recognised after five
minutes, acknowledged, and cleared.
"""

_VES_TEXT: Final = f"""\
## VES fault events

VES Event Listener 7.2.1, schema 30.2.1, with the headers {", ".join(f"`{name}: {value}`" for name, value in HEADERS.items())}.
All events of an incident share `eventId`, `startEpochMicrosec`, `sourceName`, `sourceId`, `eventName`, `alarmCondition` and
`specificProblem`; `sequence` counts up, `lastEpochMicrosec` is the moment of the change, `NORMAL` clears. Because the alarm
keeps its name, `alarmCondition` is the condition at the onset; `alarmAdditionalInformation.condition` is what is believed
now. VES knows no severity for the indeterminate: it is sent as `WARNING`.

A batch holds events of one domain, as the specification demands, and at most {LARGEST:,} bytes, which it recommends. The monitor
sends what waits in batches unless told not to; a collector knows an event that comes twice by eventId and sequence.
"""

_MEASUREMENT_TEXT: Final = """\
## VES measurement events

Counters chosen from a row of minutes, under names of their own or others. A ratio without a denominator is left out: it is
missing, not 0. The values go as text into `additionalMeasurements`, or as numbers into `additionalObjects`.
"""

_LOOP_TEXT: Final = """\
## Control-loop events

The types are those of the published samples: times are integers, although `dcaeCLOutput.json` calls them strings.
Milliseconds unless microseconds are asked for, for the samples have both and the policy engine reads the former. Scores,
evidence and comments do not ride in the event: the engine compares all fields but `requestID` and the times, and would take
a changed one for a new onset.

Each condition may have a loop of its own, or none. A diagnosis that moves an incident from one loop to another ends the
first (ABATED) and starts the second (ONSET); each run keeps its `requestID` from ONSET to ABATED. Here `unknown` has no loop.
"""

_KAFKA_TEXT: Final = """\
### Over Kafka

A record's key is the node, its header `id` the message's id. The producer is idempotent and waits for all replicas in sync:

| answer | outcome |
| --- | --- |
| acknowledged | delivered |
| none in time, no leader, brokers away | later |
| authentication, authorisation, no such topic | refused |
| too large, or not a record that the topic takes | rejected |

TLS and SASL (PLAIN, SCRAM) as configured, no other option of the client library; a password does not go to another machine
without TLS unless that is asked for. An event whose acknowledgement was lost is sent again under its id and `requestID`.
"""

_ALARM_TEXT: Final = """\
## TMF642 alarms

Alarm Management 4.0.0. The alarm's `id` is the incident's identity. Severities are X.733's in lower case, as the schema
writes `cleared`; `alarmType` is by condition, quality of service unless set otherwise; so is `probableCause`, else
`indeterminate`.
"""

_RECORD_TEXT: Final = """\
## JSON lines

One record a change. The file sender has it on disk before it says so, cuts off a half line that a crash left, does not
repeat a line whose receipt a crash lost, and begins anew after the file was rotated away.
"""

_WEBHOOK_TEXT: Final = f"""\
## Webhook

A CloudEvent 1.0 in structured mode, `Content-Type: {CONTENT_TYPE}`. Where a secret was agreed,
`{SIGNATURE}` holds `sha256=` and the body's HMAC-SHA256 in hex.
"""

_SENDER_TEXT: Final = """\
## Over HTTP

Basic authentication or a client certificate, TLS 1.2 or newer, the receiver's certificate always checked. A password does
not go over plain HTTP to another machine unless that is asked for. One time-out holds for the whole attempt, however slowly
an answer drips; of an answer a bounded part is read; redirections are not followed; `Idempotency-Key` is the message's id.
"""

_DELIVERY_TEXT: Final = f"""\
What is to come later is tried {Backoff().attempts} times at once, with exponential back-off and full jitter (from
{Backoff().first_s} s, at most {Backoff().longest_s:.0f} s, unless set otherwise; `Retry-After` is kept to, up to that), then left
to the outbox. What is refused (our address, credentials or certificate) must be kept and told to a person; what is rejected is
put aside. A status that arrived in full counts, even if the connection breaks in the body that follows it.

The dry run (`--dry-run` of `monitor` and `replay`) prints each message, with its path and headers, and sends nothing.
"""


def _api_text() -> str:
    tasks = ", ".join(f"`{kind.value}`" for kind in TaskKind)
    return (
        "### As an API\n\n"
        "`alarm_query` answers `GET …/alarm` with `fields`, `offset` and `limit` "
        f"({DEFAULT_LIMIT} unless asked, {LIMIT} at most) and filters for equality by "
        f"{', '.join(f'`{name}`' for name in FILTERS)}; values set apart by commas are alternatives. "
        f"`alarm_task` reads and answers {tasks}. A pattern without attributes, which would mean every alarm, is refused. "
        "References carry `uuid` and `href`, for their `id` is a 32-bit integer in the schema. "
        "[The monitor serves it](monitor.md#alarms-by-tmf642).\n"
    )
