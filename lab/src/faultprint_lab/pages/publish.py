"""docs/reference/publish.md, its examples made by the encoders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from faultprint.publish.control_loop import TOPIC, ControlLoopSettings, control_loop_events
from faultprint.publish.incident import Actor, Change, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement
from faultprint.publish.record import json_line
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.http import outcome_of
from faultprint.publish.tmf642.alarm import LISTENER_PATHS, AlarmSettings, AlarmType, notification
from faultprint.publish.tmf642.query import DEFAULT_LIMIT, FILTERS, MAX_LIMIT, ORDERED, SORTS
from faultprint.publish.tmf642.task import TaskKind
from faultprint.publish.ves.batch import MAX_MESSAGE_BYTES
from faultprint.publish.ves.event import BATCH_PATH, EVENT_PATH, HEADERS, VesSettings, fault_event
from faultprint.publish.ves.measurement import MeasurementCounter, measurement_event
from faultprint.publish.webhook import CONTENT_TYPE, SIGNATURE_HEADER, WebhookSettings, webhook_body
from faultprint.units import MINUTE_US

_ONSET: Final = 1_767_604_200_000_000  # 2026-01-05T09:10:00Z
_INVENTORY: Final[Mapping[str, InventoryElement]] = {
    "pcscf1": InventoryElement(
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
    """The changes of the example incident: onset as unknown, diagnosis, acknowledgement, clear."""
    unsure = Explanation(1.8125, "overload", 0.25, ("in.register_initial.timeout_share +0.43 (normal 0.01)",))
    sure = Explanation(0.40625, "overload", 1.6875, ("in.register_initial.timeout_share +0.88 (normal 0.01)",))
    begun = Incident.begin(
        "pcscf1", "north", "unknown", Severity.WARNING, _ONSET, now_us=_ONSET + 2 * MINUTE_US, explanation=unsure
    )
    named = begun.diagnose("hss-link-down", Severity.CRITICAL, _ONSET + 5 * MINUTE_US, sure)
    seen = named.acknowledge(Actor("m.keller", "noc", _ONSET + 9 * MINUTE_US))
    return begun, named, seen, seen.clear(_ONSET + 42 * MINUTE_US)


def page() -> str:
    """The page as Markdown."""
    begun, named, seen, cleared = story()
    row = {"node": "pcscf1", "network": "north", "observed": 1.0, "in.register_initial.attempts": 412.0}
    row |= {"in.register_initial.timeout_share": 0.8859, "node.ser": None}
    counters = (
        MeasurementCounter("in.register_initial.attempts", "UR.AttInitReg", "TS32409"),
        MeasurementCounter("in.register_initial.timeout_share"),
        MeasurementCounter("node.ser"),
    )
    parts = [
        _INTRODUCTION,
        _table(("receiver", "destination", "encoder"), iter(_SINKS)),
        _IDENTITY_TEXT,
        _VES_TEXT,
        _example("The clear", fault_event(cleared, _VES)),
        _MEASUREMENT_TEXT,
        _example(
            "A minute with three counters, one of them without a value",
            measurement_event(row, counters, _VES, minute_us=_ONSET),
        ),
        _LOOP_TEXT,
        *(_example("The diagnosis starts the loop", event) for event in control_loop_events(named, _LOOPS)),
        *(_example("The clear ends it", event) for event in control_loop_events(cleared, _LOOPS)),
        _KAFKA_TEXT,
        _ALARM_TEXT,
        _table(("change", "eventType", "path below the callback"), _notifications()),
        _example("The acknowledgement", notification(seen, _ALARMS)),
        _api_text(),
        _RECORD_TEXT,
        f"```json\n{json_line(begun).decode()}```\n",
        _WEBHOOK_TEXT,
        _example("The onset", webhook_body(begun, WebhookSettings())),
        _SENDER_TEXT,
        _table(("response", "outcome"), _outcomes()),
        _DELIVERY_TEXT,
    ]
    return "\n".join(parts)


def _example(title: str, value: Mapping[str, Any]) -> str:
    return f"{title}:\n\n```json\n{json.dumps(value, indent=2)}\n```\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _notifications() -> Iterator[tuple[str, ...]]:
    """The notification of each change, from the encoder."""
    actor = Actor("m.keller", "noc", _ONSET)
    begun = story()[0]
    for incident in (
        begun,
        begun.diagnose("overload", Severity.MAJOR, _ONSET, Explanation()),
        begun.acknowledge(actor),
        begun.clear(_ONSET),
    ):
        kind = notification(incident, _ALARMS)["eventType"]
        change = "acknowledgement, comment" if incident.change is Change.ACKNOWLEDGEMENT else incident.change.value
        yield change, f"`{kind}`", f"`{LISTENER_PATHS[kind]}`"


def _outcomes() -> Iterator[tuple[str, ...]]:
    """The outcome of common status codes, from the sender."""
    statuses = (200, 202, 204, 302, 400, 401, 403, 404, 405, 407, 408, 409, 413, 415, 422, 425, 429, 500, 502, 503, 504)
    by_outcome: dict[str, list[str]] = {}
    for status in statuses:
        by_outcome.setdefault(outcome_of(status).value, []).append(str(status))
    for outcome, codes in by_outcome.items():
        yield ", ".join(codes), outcome
    yield "none in time, connection lost", "retry"
    yield "TLS alert, wrong certificate", "refused"


_SINKS: Final = (
    ("a VES collector: faults", f"`POST {EVENT_PATH}`, `POST {BATCH_PATH}`", "`ves.event`, `ves.batch`"),
    ("a VES collector: counters", "the same", "`ves.measurement`, `ves.batch`"),
    ("the policy engine: ONSET and ABATED", f"topic `{TOPIC}`", "`control_loop`"),
    (
        "alarm management: TMF642",
        "the callback of a listener; the alarm API",
        "`tmf642.alarm`, `tmf642.query`, `tmf642.task`",
    ),
    ("programs that read files: JSON lines", "a file", "`record`"),
    ("any receiver of HTTP POST: CloudEvents", "a URL", "`webhook`"),
)

_INTRODUCTION: Final = """\
# Publishing

Messages of Faultprint to other systems. Encoders are pure functions of an incident and settings. Senders know nothing about
incidents. This page and all its examples are generated by `faultprint.publish`.
"""

_IDENTITY_TEXT: Final = """\
An **incident** has one identity from onset to clear: a version 5 UUID of its node and the minute of its onset. Every **change**
(onset, diagnosis, acknowledgement, comment, clear) increases `sequence` by 1. Each change has an event id: a
version 5 UUID of the
identity and the sequence number. A monitor that restarts after a crash produces the same ids, also those of messages.

Names and texts are written on one line, without unprintable characters, and with a limited length. Numbers that are NaN or
infinite are left out. All JSON is ASCII. The examples on this page show one incident: it begins as unknown, is recognised after
five minutes, then acknowledged, then cleared.
"""

_VES_TEXT: Final = f"""\
## VES fault events

VES Event Listener 7.2.1, schema 30.2.1, with the headers {", ".join(f"`{name}: {value}`" for name, value in HEADERS.items())}.
All events of an incident have the same `eventId`, `startEpochMicrosec`, `sourceName`, `sourceId`, `eventName`, `alarmCondition`
and `specificProblem`. `sequence` counts up, `lastEpochMicrosec` is the time of the change, and `NORMAL` clears
the alarm. The alarm
keeps its name: `alarmCondition` is the condition at the onset. The current condition is `alarmAdditionalInformation.condition`.
If an operator cleared the incident, `clearedBy` and `clearedOnSystem` name the user and the system. VES has no indeterminate
severity: it is sent as `WARNING`.

A batch contains events of one domain, as the specification requires, and at most {MAX_MESSAGE_BYTES:,} bytes,
as it recommends. The monitor
sends waiting events in batches unless the configuration forbids it. A collector recognises a repeated event by `eventId` and
`sequence`.
"""

_MEASUREMENT_TEXT: Final = """\
## VES measurement events

Selected counters of a row of minutes, with their own names or configured ones. A ratio without a denominator is left out: it is
missing, not 0. The values are texts in `additionalMeasurements`, or numbers in `additionalObjects`.
"""

_LOOP_TEXT: Final = """\
## Control-loop events

The types are those of the published samples: times are integers, although `dcaeCLOutput.json` declares strings. The unit is
milliseconds by default, as in the parser of the policy engine; microseconds can be selected. The events
contain no score, evidence
or comment: the engine compares all fields except `requestID` and the times, and would take a changed field for a new onset.

Each condition can have its own control loop, or none. If a diagnosis moves an incident from one loop to
another, the run of the first
loop ends (ABATED) and a run of the second loop begins (ONSET). Each run keeps its `requestID` from ONSET to
ABATED. In this example
`unknown` has no loop.
"""

_KAFKA_TEXT: Final = """\
### Over Kafka

The key of a record is the node. The header `id` is the id of the message. The producer is idempotent and waits for all in-sync
replicas:

| answer of the brokers | outcome |
| --- | --- |
| acknowledged | delivered |
| none in time, no leader, brokers unreachable | retry |
| authentication, authorisation, unknown topic | refused |
| too large, or not accepted by the topic | rejected |

TLS and SASL (PLAIN, SCRAM) can be configured, and no other options of the client library. A password is not
sent to another machine
without TLS unless `allow_plaintext_password` is set. If an acknowledgement is lost, the event is sent again with the same id and
`requestID`.
"""

_ALARM_TEXT: Final = """\
## TMF642 alarms

Alarm Management 4.0.0. The `id` of an alarm is the identity of the incident. Severities are those of X.733 in
lower case, as `cleared`
in the schema. `alarmType` and `probableCause` depend on the condition; their defaults are quality of service and `indeterminate`.
If an operator cleared the alarm, `clearUserId` and `clearSystemId` name the user and the system; after a clear
by the monitor they
are absent.
"""

_RECORD_TEXT: Final = """\
## JSON lines

One record for each change. The file sender writes it to disk before it confirms delivery, removes an
incomplete line after a crash,
does not repeat a line whose receipt was lost in a crash, and creates a new file after log rotation. `cleared_by` and
`cleared_on_system` are present if an operator cleared the incident.
"""

_WEBHOOK_TEXT: Final = f"""\
## Webhook

A CloudEvent 1.0 in structured mode, `Content-Type: {CONTENT_TYPE}`. If a secret is configured,
`{SIGNATURE_HEADER}` contains `sha256=` and the HMAC-SHA256 of the body in hex.
"""

_SENDER_TEXT: Final = """\
## Over HTTP

Basic authentication or a client certificate, with TLS 1.2 or newer. The certificate of the receiver is always
checked. A password is
not sent over plain HTTP to another machine unless `allow_plaintext_password` is set. One timeout covers a
complete attempt, also if
the response arrives slowly. Only the beginning of a response is read. Redirections are not followed.
`Idempotency-Key` is the id of
the message.
"""

_DELIVERY_TEXT: Final = f"""\
A message with the outcome `retry` is tried {Backoff().attempts} times, with exponential back-off and full jitter (by default from
{Backoff().initial_s} s up to {Backoff().max_s:.0f} s; `Retry-After` is honoured up to the limit). Then it
stays in the outbox. A message that is
`refused` (address, credentials, certificate) stays in the outbox, and the log and metrics report it. A message
that is `rejected` becomes
a dead letter. A complete status counts, even if the connection breaks in the body after it.

A dry run (`--dry-run` of `monitor` and `replay`) prints each message with its path and headers, and sends nothing.
"""


def _api_text() -> str:
    tasks = ", ".join(f"`{kind.value}`" for kind in TaskKind)
    return (
        "### As an API\n\n"
        "`tmf642.query` answers `GET …/alarm` as TMF630 says, with `fields`, `sort`, `offset` and `limit` "
        f"(default {DEFAULT_LIMIT}, at most {MAX_LIMIT}).\n\n"
        "| query | alarms |\n|---|---|\n"
        "| `state=raised,updated`, `state=raised;updated`, `state=raised&state=updated` | raised or updated |\n"
        "| `state=raised&perceivedSeverity=major` | raised and major |\n"
        "| `state=cleared;perceivedSeverity=major` | cleared or major |\n"
        "| `state.ne=cleared`, `state!=cleared` | not cleared |\n"
        "| `alarmRaisedTime.gte=2026-01-05&alarmRaisedTime.lt=2026-01-06` | raised on that day; also `>=`, `<`, `>`, `<=` |\n"
        "| `perceivedSeverity.gte=major&sort=-perceivedSeverity,alarmRaisedTime` | major or critical, worst first |\n\n"
        f"Filters: {', '.join(f'`{name}`' for name in FILTERS)}. "
        f"{', '.join(f'`{name}`' for name in ORDERED)} have an order, so that `gt`, `gte`, `lt` and `lte` are possible. "
        f"`sort` takes {', '.join(f'`{name}`' for name in SORTS)}. There are no regular expressions, because a pattern could "
        "block the server.\n\n"
        f"`tmf642.task` parses and answers {tasks}. A pattern without attributes would match every alarm and is refused. "
        "References contain `uuid` and `href`, because their `id` is a 32-bit integer in the schema. "
        "[The monitor serves the API](monitor.md#alarms-by-tmf642).\n"
    )
