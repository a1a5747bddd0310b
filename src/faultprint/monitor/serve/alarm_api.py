"""The TMF642 alarm API. It reads alarms from the state, and the main loop of the monitor executes the tasks.

    GET  /tmf-api/alarmManagement/v4/alarm          filters, fields, sort, offset, limit (`publish.tmf642.query`)
    GET  /tmf-api/alarmManagement/v4/alarm/{id}     one alarm; fields
    POST /tmf-api/alarmManagement/v4/ackAlarms      also unAckAlarms, clearAlarms, commentAlarms (`publish.tmf642.task`)
    GET  /tmf-api/alarmManagement/v4/ackAlarms/{id} the task again, while it is one of the last 256

The list holds the alarms that the monitor keeps (`retention.incident_days`), open ones first, then by time of their last change.
The database filters, sorts and pages it. Status 206 means that there are more alarms than shown; `X-Total-Count` is their
number.

A task is answered with 201 and state `done` when the monitor has executed it, or with state `inProgress` after 3 seconds. The
answer names the alarms that the task changes. It is 404 if no alarm matches the patterns, and 409 if the task is not possible
for any match.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from faultprint.errors import StateError, UsageError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.serve.response import Response
from faultprint.monitor.serve.selection import QueryTranslator
from faultprint.publish.incident import Incident
from faultprint.publish.tmf642.alarm import AlarmSettings, alarm_resource
from faultprint.publish.tmf642.query import (
    MAX_LIMIT,
    AlarmPage,
    AlarmQuery,
    page,
    parse_query,
    run_query,
    select_fields,
)
from faultprint.publish.tmf642.task import AlarmTask, TaskKind, parse_task, task_resource

WAIT_S: Final = 3.0
"""How long the answer to a task waits for the main loop, which looks for commands once a second."""
TASKS: Final = 256
"""Number of recent tasks that can be read again."""
PARAMETERS: Final = 64


class AlarmApi:
    """Thread-safe. Paths are relative to the base of the API."""

    def __init__(self, commands: CommandQueue, settings: AlarmSettings, clock: Clock, wait_s: float = WAIT_S) -> None:
        self._commands, self._settings, self._clock, self._wait_s = commands, settings, clock, wait_s
        self._translator = QueryTranslator(settings)
        self._tasks: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, query: str) -> Response:
        """The response to GET."""
        try:
            parsed = parse_query(parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS))
        except (UsageError, ValueError) as error:
            return Response.error(400, "bad request", str(error))
        try:
            if path == "/alarm":
                found = self._page(parsed)
                return Response.json(found.status, found.alarms, found.headers)
            resource = self._resource(path)
        except (UsageError, StateError) as error:
            return Response.error(503, "unavailable", str(error))
        if resource is None:
            return Response.error(404, "not found", "There is no alarm or task with this id.")
        return Response.json(200, select_fields(resource, parsed.fields))

    def post(self, path: str, body: bytes) -> Response:
        """The response to POST."""
        kind = path.removeprefix("/")
        if kind == "alarm":
            return Response.error(405, "not allowed", "Only the monitor creates alarms.", {"Allow": "GET"})
        if kind not in tuple(TaskKind):
            return Response.error(404, "not found", f"POST a task to one of {', '.join(TaskKind)}.")
        try:
            task = parse_task(TaskKind(kind), _decoded(body), self._clock.now_us())
        except UsageError as error:
            return Response.error(400, "bad request", str(error))
        try:
            return self._execute(task)
        except (UsageError, StateError) as error:
            return Response.error(503, "unavailable", str(error))

    def _resource(self, path: str) -> Mapping[str, Any] | None:
        """The alarm or task at a path, or None. Raises UsageError or StateError."""
        match path.split("/"):
            case ["", "alarm", identity]:
                incident = self._commands.find(unquote(identity))
                return None if incident is None else alarm_resource(incident, self._settings)
            case ["", kind, identity] if kind in tuple(TaskKind):
                with self._lock:
                    return self._tasks.get(identity)
        return None

    def _execute(self, task: AlarmTask) -> Response:
        matching = list(islice(self._matching(task), MAX_LIMIT + 1))
        if not matching:
            return Response.error(404, "not found", "No alarm matches the alarmPattern.")
        if len(matching) > MAX_LIMIT:
            return Response.error(
                400, "bad request", f"More than {MAX_LIMIT} alarms match the alarmPattern; narrow it."
            )
        done, reason = [], ""
        for incident in matching:
            try:
                incident.apply(task.operation, task.actor, task.text)
                done.append(incident)
            except UsageError as error:
                reason = str(error)
        if not done:
            return Response.error(409, "conflict", reason)
        numbers = self._commands.submit(done, task.operation, task.actor, task.text)
        state = "done" if self._commands.wait(numbers, self._wait_s) else "inProgress"
        resource = task_resource(task, uuid4(), done, self._settings, state=state)
        with self._lock:
            self._tasks[resource["id"]] = resource
            while len(self._tasks) > TASKS:
                self._tasks.popitem(last=False)
        return Response.json(201, resource, {"Location": resource["href"]})

    def _matching(self, task: AlarmTask) -> Iterator[Incident]:
        """The incidents whose alarms match the patterns of the task. Raises UsageError or StateError."""
        if task.alarm_ids is None:
            known = self._commands.matching(self._translator.candidates(task.patterns))
        else:
            known = (incident for identity in task.alarm_ids if (incident := self._commands.find(identity)))
        return (incident for incident in known if task.applies_to(alarm_resource(incident, self._settings)))

    def _page(self, query: AlarmQuery) -> AlarmPage:
        """The alarms that the query selects. Raises UsageError or StateError."""
        selection = self._translator.selection(query)
        if selection is None:
            return run_query(self._resources(self._commands.incidents(cleared=query.includes_cleared)), query)
        count, incidents = self._commands.page(selection)
        return page(self._resources(incidents), count, query)

    def _resources(self, incidents: Iterable[Incident]) -> Iterator[dict[str, Any]]:
        return (alarm_resource(incident, self._settings) for incident in incidents)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The body is not JSON ({error}); correct it.") from None
