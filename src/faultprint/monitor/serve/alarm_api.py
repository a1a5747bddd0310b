"""TMF642 alarms as a small API over the desk: what is read comes from the state, what is done the loop does.

    GET  /tmf-api/alarmManagement/v4/alarm          filters, fields, offset, limit (`publish.alarm_query`)
    GET  /tmf-api/alarmManagement/v4/alarm/{id}     one alarm; fields
    POST /tmf-api/alarmManagement/v4/ackAlarms      also unAckAlarms, clearAlarms, commentAlarms (`publish.alarm_task`)
    GET  /tmf-api/alarmManagement/v4/ackAlarms/{id} the task again, while it is among the latest

The list holds the alarms that the monitor keeps (`keep.incident_days`), open ones first. A task is answered 201 once the
monitor's loop has carried it out, with state done; after three seconds with state inProgress. It names the alarms to which
it was done; the answer is 404 if no alarm fits the patterns, 409 if it can be done to none of those that fit.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from faultprint.errors import StateError, UsageError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.serve.response import Response
from faultprint.publish.incident import Incident
from faultprint.publish.tmf642.alarm import AlarmSettings, alarm
from faultprint.publish.tmf642.query import LIMIT, answer, parse_query, project
from faultprint.publish.tmf642.task import AlarmTask, TaskKind, parse_task, task_resource

WAIT_S: Final = 3.0
"""How long a task's answer waits for the loop, which looks once a second."""
TASKS: Final = 256
"""The latest tasks, which may be asked for again."""
PARAMETERS: Final = 64


class AlarmApi:
    """Any thread may call. Paths are those below the API's base."""

    def __init__(self, desk: CommandQueue, settings: AlarmSettings, clock: Clock, wait_s: float = WAIT_S) -> None:
        self._desk, self._settings, self._clock, self._wait_s = desk, settings, clock, wait_s
        self._tasks: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, query: str) -> Response:
        """The answer to GET."""
        try:
            wanted = parse_query(parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS))
        except (UsageError, ValueError) as error:
            return Response.refusal(400, "bad request", str(error))
        try:
            if path == "/alarm":
                found = answer(self._alarms(cleared=wanted.wants_cleared), wanted)
                return Response.json(found.status, found.alarms, found.headers)
            shown = self._one(path)
        except (UsageError, StateError) as error:
            return Response.refusal(503, "unavailable", str(error))
        if shown is None:
            return Response.refusal(404, "not found", "There is no such alarm or task.")
        return Response.json(200, project(shown, wanted.fields))

    def post(self, path: str, body: bytes) -> Response:
        """The answer to POST."""
        kind = path.removeprefix("/")
        if kind == "alarm":
            return Response.refusal(405, "not allowed", "Alarms are made by the monitor alone.", {"Allow": "GET"})
        if kind not in tuple(TaskKind):
            return Response.refusal(404, "not found", f"Tasks are posted to {', '.join(TaskKind)}.")
        try:
            task = parse_task(TaskKind(kind), _decoded(body), self._clock.now_us())
        except UsageError as error:
            return Response.refusal(400, "bad request", str(error))
        try:
            return self._do(task)
        except (UsageError, StateError) as error:
            return Response.refusal(503, "unavailable", str(error))

    def _one(self, path: str) -> Mapping[str, Any] | None:
        """The alarm or task at a path, if there is one. Raises UsageError or StateError."""
        match path.split("/"):
            case ["", "alarm", identity]:
                incident = self._desk.find(unquote(identity))
                return None if incident is None else alarm(incident, self._settings)
            case ["", kind, identity] if kind in tuple(TaskKind):
                with self._lock:
                    return self._tasks.get(identity)
        return None

    def _do(self, task: AlarmTask) -> Response:
        meant = list(islice(self._meant(task), LIMIT + 1))
        if not meant:
            return Response.refusal(404, "not found", "No alarm fits the alarmPattern.")
        if len(meant) > LIMIT:
            return Response.refusal(
                400, "bad request", f"More than {LIMIT} alarms fit the alarmPattern; give narrower ones."
            )
        done, refusal = [], ""
        for incident in meant:
            try:
                incident.apply(task.operation, task.by, task.text)
                done.append(incident)
            except UsageError as error:
                refusal = str(error)
        if not done:
            return Response.refusal(409, "conflict", refusal)
        numbers = self._desk.instruct(done, task.operation, task.by, task.text)
        state = "done" if self._desk.settled(numbers, self._wait_s) else "inProgress"
        told = task_resource(task, uuid4(), done, self._settings, state=state)
        with self._lock:
            self._tasks[told["id"]] = told
            while len(self._tasks) > TASKS:
                self._tasks.popitem(last=False)
        return Response.json(201, told, {"Location": told["href"]})

    def _meant(self, task: AlarmTask) -> Iterator[Incident]:
        """The incidents whose alarms the task's patterns fit. Raises UsageError or StateError."""
        if task.identities is None:
            known = self._desk.incidents()
        else:
            known = (incident for one in task.identities if (incident := self._desk.find(one)))
        return (incident for incident in known if task.applies_to(alarm(incident, self._settings)))

    def _alarms(self, *, cleared: bool) -> Iterator[dict[str, Any]]:
        return (alarm(incident, self._settings) for incident in self._desk.incidents(cleared=cleared))


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The body is no JSON ({error}); correct it.") from None
