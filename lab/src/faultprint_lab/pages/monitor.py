"""docs/reference/monitor.md, its tables read from the code."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from faultprint.monitor.base.log import EVENTS
from faultprint.monitor.config.reader import name_of_type, optional, type_of, variants
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.deliver.measurements import __doc__ as measurements_text
from faultprint.monitor.deliver.outbox import __doc__ as outbox_text
from faultprint.monitor.detect.incidents import TABLE, IncidentPhase, Signal
from faultprint.monitor.detect.incidents import __doc__ as incident_text
from faultprint.monitor.ingest.watermark import __doc__ as watermark_text
from faultprint.monitor.kafka import __doc__ as kafka_text
from faultprint.monitor.kafka.clock import __doc__ as clock_text
from faultprint.monitor.kafka.group import __doc__ as group_text
from faultprint.monitor.kafka.records import __doc__ as records_text
from faultprint.monitor.kafka.transaction_codec import __doc__ as transaction_text
from faultprint.monitor.serve.alarm_api import __doc__ as alarm_api_text
from faultprint.monitor.serve.http import __doc__ as http_text
from faultprint.monitor.serve.metrics import METRICS, PARTITIONS

_INTRODUCTION: Final = """\
# The live monitor

`faultprint monitor` captures the traffic of nodes and gives each node a verdict every minute. Verdicts become incidents, and
incidents become messages to other systems ([publishing](publish.md)). `faultprint replay` feeds recorded minutes, transactions
or captures to the same code at any speed. This page is generated from the code.

```text
source ─batch→ watermark buffer ─minute→ scorer ─verdicts→ incidents ─changes→ state (outbox) ─message→ delivery worker → sink
```

A minimal configuration, and a replay of a recording with it:

```toml
model = "model.faultprint"
library = "cases.db"
state = "monitor.db"

[probe]
hep = ["127.0.0.1:9060"]
nodes = ["pcscf1=10.0.0.1"]

[[sink]]
name = "lines"
kind = "file"
path = "incidents.jsonl"
```

```sh
faultprint replay minutes.parquet --config monitor.toml --out verdicts.parquet
faultprint monitor --config monitor.toml
```

## Verdicts

Verdicts are equal to those of `faultprint identify` on the same minutes. A new node is `warming-up` until it has a baseline: its
first 60 observed minutes (`baseline.minutes`). No verified normal hour? Set `baseline.kind = "robust"`: the baseline then takes
1440 minutes, and outliers are removed. These minutes are kept in memory meanwhile, 0.8 MB per node.

All nodes are scored together. Each minute is encoded once and kept in a window buffer, so that a new minute costs the work of one
minute. With `nodes.quantized` the buffers hold 8-bit values; one verdict in a thousand changes. Cases that are enrolled while the
monitor runs count from the next minute.

A new baseline is checked against the population baseline. If it looks like a known fault, the log has `baseline_suspect`, the
metric `faultprint_nodes_baseline_suspect` counts the node, and the next minutes are used instead, at most twice. A monitor that
starts during a fault is therefore ready about an hour after the end of the fault.

A live run differs from a batch run in one point only: retransmissions that arrive after a minute is closed. A minute is scored
`time.lateness_seconds` after its end; the probe waits another half minute for retransmissions.

If the probe was running but saw no messages, the minute counts as zero traffic and gets a verdict. A node without data gets no
verdict, and its incident does not change. After `time.no_data_minutes` the log has `node_no_data`, and
`faultprint_nodes_no_data` counts the node.
"""

_STATE_TEXT: Final = """\
## State, kill and restart

The state is one SQLite file, or one schema of a PostgreSQL database (`state = "postgresql://…"`). Each finished minute is one
transaction with its window buffers, verdicts, incidents and messages. After a kill the monitor continues after the last finished
minute. A message leaves the outbox when its sink has received it. If its receipt was lost in a kill, it is sent again with the
same id; a receiver recognises it by `Idempotency-Key`. A replay has a state of its own (`--state`).

If the state cannot be written (disk full, server down), the monitor waits and retries. The log has `write_failing` once. There
are no verdicts until the state can be written again.

A second monitor on the same state is refused. If a monitor loses its lock and another one writes meanwhile, the first one stops
with an error at its next write.

`--dry-run` works on a temporary copy of the state. Messages are printed, and none counts as sent.
"""

_OPERATORS_TEXT: Final = """\
## Operators

Operators use `faultprint incidents list|show|acknowledge|unacknowledge|comment|clear --config monitor.toml`, or the TMF642 API
below. Both write a command into the state. The running monitor executes it within a second and sends the change to all sinks. An
operation that is not possible, such as clearing a cleared incident, changes nothing; the log has `command_refused`. At most
10,000 commands wait.

```sh
faultprint incidents list --config monitor.toml
faultprint incidents acknowledge 80cecbcb --config monitor.toml --user m.keller
faultprint incidents comment 80cecbcb "link to HSS 2 is being replaced" --config monitor.toml
```
"""

_HTTP_TEXT: Final = """\
`http.host` and `http.port` set the address: IPv4, IPv6, both (`::`), or a socket in the file system (`unix:PATH`). GET and HEAD are
answered everywhere, POST only by the alarm API.

| who may | on this machine | from other machines |
|---|---|---|
| ask for health | everyone | everyone |
| read metrics | everyone; with `http.metrics_token_file` only with that token | the same |
| read alarms (`http.alarms`) | requests to a loopback name; with `http.token_file` only with the token | only with the token |
| change alarms | only with the token | only with the token |
| connect | without TLS, or with it | with TLS, or with `http.allow_plaintext` |

A token is the first line of its file and has at least 128 bits. A file with a weaker one is refused. After five wrong tokens an
address must pause for a second, and for twice as long after each further one, up to a minute: the answer is then 429. The log has
`token_refused` at most once a minute. Behind a reverse proxy all clients have the address of the proxy.

A renewed certificate is used within ten seconds; the files must be one pair. Bodies of the alarm API must be `application/json`, so
that no web page can post them.

```sh
umask 077
openssl rand -hex 32 > /etc/faultprint/token
curl -H "Authorization: Bearer $(cat /etc/faultprint/token)" \\
  'http://127.0.0.1:9273/tmf-api/alarmManagement/v4/alarm?state.ne=cleared&sort=-perceivedSeverity&fields=specificProblem'
```
"""

_METRICS_TEXT: Final = """\
No label is a node name. The process metrics of the Prometheus client come in addition, such as `process_resident_memory_bytes`.
`deploy/` has a Grafana dashboard, alert rules, a systemd unit and a container file.
"""

_LOG_TEXT: Final = """\
## Log

The log is one JSON object per line on standard error, with `time`, `event` and further fields. Names of events are stable.
"""


_KAFKA_TEXT: Final = """\
The configuration of a monitor, and of the producer next to each probe (complete example: [monitor-kafka.toml](monitor-kafka.toml)):

```sh
kafka-topics.sh --bootstrap-server k1:9092 --create --topic faultprint.minutes --partitions 12
faultprint produce --config monitor-kafka.toml --origin probe-1                    # traffic of [probe]
faultprint produce minutes.parquet --config monitor-kafka.toml                     # or a recording
faultprint monitor --config monitor-kafka.toml                                     # as many as you need
kafka-consumer-groups.sh --bootstrap-server k1:9092 --group faultprint --describe  # their lag
```

A sink of kind `kafka` sends ONSET and ABATED to a policy engine ([publishing](publish.md)), with or without `[kafka]`.

The state must be a file. Operators see the incidents of one partition at a time, on the machine that holds it:
`faultprint incidents list --state monitor.db.faultprint.minutes-0`. There is no TMF642 API, and `--dry-run` works with replays
only.

Minutes are the smaller load, about 5 kB per node and minute before compression. Use transactions (`payload = "transactions"`) if
other systems need them too. Subscribers and dialogs are keyed hashes on the topic.

Log lines of a partition have its number. The metrics cover all partitions of the monitor; `faultprint_kafka_partitions` is their
number.
"""

_KAFKA: Final = (
    ("Members", group_text),
    ("Records of minutes", records_text),
    ("Records of transactions", transaction_text),
    ("The arrival clock", clock_text),
)


def page() -> str:
    """Markdown."""
    parts = [
        _INTRODUCTION,
        _section("Time", watermark_text),
        _section("Incidents", incident_text),
        _table(
            ("signal", *IncidentPhase),
            ((signal, *(TABLE[state, signal] for state in IncidentPhase)) for signal in Signal),
        ),
        _STATE_TEXT,
        _section("Outbox", outbox_text),
        _section("Measurements", measurements_text),
        _OPERATORS_TEXT,
        _section("HTTP", http_text),
        _HTTP_TEXT,
        _section("Alarms by TMF642", alarm_api_text),
        "## Metrics\n",
        _table(
            ("metric", "type", "labels", "meaning"),
            (
                (f"`{spec.exported}`", spec.kind, ", ".join(spec.labels), spec.meaning)
                for spec in (*METRICS, PARTITIONS)
            ),
        ),
        _METRICS_TEXT,
        _LOG_TEXT,
        _table(("event", "meaning"), ((f"`{event}`", meaning) for event, meaning in EVENTS.items())),
        _section("Kafka", kafka_text),
        _KAFKA_TEXT,
        *(_section(title, text, 3) for title, text in _KAFKA),
        "## Configuration\n",
        "TOML. Paths are relative to the folder of the file. Other keys are refused.\n",
        *_reference("", Settings),
    ]
    return "\n".join(parts)


def _section(title: str, text: str | None, depth: int = 2) -> str:
    """A module's own text: its first line as a sentence, its tables as they stand there."""
    assert text is not None
    blocks = text.strip().split("\n\n")
    shown = [f"```text\n{block}\n```" if block.startswith("    ") else block for block in blocks]
    return f"{'#' * depth} {title}\n\n" + "\n\n".join(shown) + "\n"


def _reference(where: str, kind: Any) -> Iterator[str]:
    """The keys of one table, then the tables in it."""
    hints = typing.get_type_hints(kind, include_extras=True)
    rows, inner = [], []
    for entry in fields(kind):
        plain, key = type_of(hints[entry.name])
        if key:
            rows.append((f"`{entry.name}`", name_of_type(plain), _default(entry), key.meaning))
        else:
            inner.append((entry.name, optional(plain)))
    if where:
        yield f"### {where}\n\n{_purpose(kind)}\n"
    yield _table(("key", "value", "default", "meaning"), iter(rows))
    for name, plain in inner:
        origin, members = typing.get_origin(plain), typing.get_args(plain)
        if origin is tuple and (kinds := variants(members[0])):
            for variant in kinds:
                yield from _reference(f"`[[{name}]]`, kind `{variant.kind.value}`", variant)
        elif origin is tuple:
            yield from _reference(f"`[[{name}]]`", members[0])
        elif origin is Mapping:
            yield from _reference(f"`[{name}.NODE]`", members[1])
        else:
            yield from _reference(f"`[{name}]`", plain)


def _purpose(kind: type) -> str:
    """The docstring of a settings class without the name of its table, as a sentence."""
    text = str(kind.__doc__).partition(": ")[2].strip()
    return text[:1].upper() + text[1:]


def _default(entry: Field[Any]) -> str:
    if entry.default is not MISSING:
        value = entry.default
    elif entry.default_factory is not MISSING:
        value = entry.default_factory()
    else:
        return "must be given"
    if value is None or value == "" or (isinstance(value, tuple | Mapping) and not value):
        return "none"
    if isinstance(value, StrEnum | Path | str):
        return f'`"{value}"`'
    assert not is_dataclass(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
