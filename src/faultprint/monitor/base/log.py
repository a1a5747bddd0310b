"""The structured log: one JSON object per line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from faultprint.display import visible_json
from faultprint.monitor.base.interfaces import Clock
from faultprint.publish.text import rfc3339

Log = Callable[..., None]
"""log(event, **fields) writes one line of the log."""

EVENTS: Final[Mapping[str, str]] = {
    "started": "The monitor is ready.",
    "node_baselined": "A node has its baseline and gets verdicts.",
    "baseline_suspect": "The baseline minutes of a node look like a known fault; later minutes are tried.",
    "baseline_incomplete": "The baseline minutes of a node have too many gaps; later minutes are tried.",
    "node_no_data": "A node has had no data for `time.no_data_minutes`.",
    "node_data_resumed": "A node has data again.",
    "node_forgotten": "A node had no data for `nodes.forget_days`; it starts as a new node if it returns.",
    "node_not_finite": "A number of a node's minute or vector is not finite: no verdict, and its baseline is selected again.",
    "nodes_full": "There are `nodes.max` nodes; rows of further nodes are refused.",
    "stored_value_unusable": "A stored value is damaged: a node's baseline is selected again, or a minute is a gap.",
    "incident_changed": "An incident has started, changed or cleared.",
    "library_loaded": "The case library has changed and was loaded.",
    "library_unreadable": "The case library cannot be read; the old references stay.",
    "clock_moved_back": "The clock of the machine moved back; a live monitor goes on from there, others wait for it.",
    "clock_caught_up": "The clock has caught up.",
    "clock_was_ahead": "The last minute lies in the future, because the clock was ahead; such minutes are judged again.",
    "agent_clock_offset": "The clock of a HEP agent is `seconds` behind the arrival clock; its stamps are corrected by this.",
    "agent_stamps_unbelieved": "Messages of a HEP agent were dropped, because their stamps are far from their arrival.",
    "node_not_heard": "No HEP agent that reports a node was heard for `probe.silence_seconds`; the time since then is a gap.",
    "node_heard_again": "An agent that reports a node is heard again.",
    "write_failing": "The state or an outbox (`target`) cannot be written; the write is retried.",
    "write_recovered": "The state or outbox can be written again.",
    "command_refused": "An operation on an incident is not possible.",
    "sink_unreachable": "A delivery failed; it is retried.",
    "sink_reachable": "The sink receives messages again.",
    "batch_rejected": "A sink rejected a batch; its messages are sent one by one.",
    "messages_dead_lettered": "Messages will not be sent; `reason` is rejected, overflow or unreadable.",
    "outbox_not_updated": "The monitor stopped while an outbox could not be written; messages may be sent twice.",
    "token_refused": "Requests had a wrong token: `count` since the last report, the last one from `client`; once a minute.",
    "certificate_loaded": "The certificate of the HTTP server was renewed.",
    "certificate_unreadable": "The renewed certificate of the HTTP server cannot be used; the old one stays.",
    "request_failed": "The HTTP server could not answer a request because of a defect.",
    "thread_ended": "A thread ended because of a defect; the monitor is not ready, and ends.",
    "record_unreadable": "A Kafka record cannot be read; only the first one of a partition is logged.",
    "record_lost": "Kafka did not take a record; only the first one is logged.",
    "partition_acquired": "The monitor has taken over a partition.",
    "partition_released": "The monitor has released a partition.",
    "partition_waiting": "The state of a partition is not available yet; the monitor tries again.",
    "state_not_uploaded": "The state of a partition could not be uploaded; the monitor tries again.",
    "brokers_unreachable": "No Kafka broker answers.",
    "brokers_reachable": "The Kafka brokers answer again.",
    "leave_timeout": "The brokers did not answer when the monitor left the group.",
    "kafka_error": "Another error of the Kafka client.",
}
"""All events of the log → their meaning. The names are stable."""


class JsonLog:
    """Writes to a stream. Any thread may call it. A broken stream stops the log, not the monitor."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock, self._lock = stream, clock, threading.Lock()

    def __call__(self, event: str, /, **fields: Any) -> None:
        """Write one line: `time`, `event`, and the fields."""
        line = visible_json(json.dumps({"time": rfc3339(self._clock.now_us()), "event": event, **fields}, default=str))
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return
