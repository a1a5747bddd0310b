"""The command `incidents`: operators list incidents, acknowledge, comment and clear them."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultprint.cli.options import INPUT, StateType, json_option, report
from faultprint.errors import UsageError

if TYPE_CHECKING:
    from faultprint.monitor.base.location import StateLocation
    from faultprint.monitor.control.requests import CommandQueue
    from faultprint.publish.incident import Comment, Incident, IncidentOperation

config_option = click.option("--config", type=INPUT, help="Configuration of the monitor.")
state_option = click.option(
    "--state", type=StateType(), metavar="FILE|URL", help="State of a monitor or a replay, instead of --config."
)
user_option = click.option("--user", help="User who does this.  [default: the current user]")
system_option = click.option("--system", help="System on which this is done.  [default: host name]")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Seconds to wait until the monitor has done it.",
)
incident_argument = click.argument("incident")

_COLUMNS = ("incident", "node", "condition", "severity", "state", "onset", "cleared", "acknowledged_by")


@click.group()
def incidents() -> None:
    """List the incidents of a monitor; acknowledge, comment and clear them.

    INCIDENT is the identity of an incident, or the first characters of it.
    """


@incidents.command(name="list")
@config_option
@state_option
@click.option("--all", "include_cleared", is_flag=True, help="Also list cleared incidents that are still kept.")
@click.option("--node", help="Only incidents of this node.")
@json_option
def list_(
    config: Path | None, state: StateLocation | None, include_cleared: bool, node: str | None, as_json: bool
) -> None:
    """List open incidents, the last changed one last."""
    from faultprint.publish.record import incident_record

    kept = _command_queue(config, state).incidents(cleared=include_cleared)
    rows = [incident_record(incident) for incident in kept if node is None or incident.node == node]
    report({"incidents": rows}, as_json, lambda: _table(rows))


@incidents.command()
@incident_argument
@config_option
@state_option
@json_option
def show(incident: str, config: Path | None, state: StateLocation | None, as_json: bool) -> None:
    """Show INCIDENT: its conditions over time, distances, evidence, comments, and who acknowledged or cleared it."""
    from faultprint.publish.record import incident_record

    selected = _command_queue(config, state).incident(incident)
    details = incident_record(selected) | {
        "conditions": list(_conditions(selected)),
        "comments": list(map(_comment, selected.comments)),
    }
    report(details, as_json, lambda: _lines(details))


def operation_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that all operations share: where the incident is kept, who acts, and how long to wait."""
    for option in (json_option, wait_option, system_option, user_option, state_option, config_option):
        function = option(function)
    return function


@incidents.command()
@incident_argument
@operation_options
def acknowledge(incident: str, **options: Any) -> None:
    """Acknowledge INCIDENT."""
    from faultprint.publish.incident import IncidentOperation

    _submit(IncidentOperation.ACKNOWLEDGE, "acknowledge", incident, **options)


@incidents.command()
@incident_argument
@operation_options
def unacknowledge(incident: str, **options: Any) -> None:
    """Withdraw the acknowledgement of INCIDENT."""
    from faultprint.publish.incident import IncidentOperation

    _submit(IncidentOperation.UNACKNOWLEDGE, "unacknowledge", incident, **options)


@incidents.command()
@incident_argument
@click.argument("text")
@operation_options
def comment(incident: str, text: str, **options: Any) -> None:
    """Add the comment TEXT to INCIDENT."""
    from faultprint.publish.incident import IncidentOperation
    from faultprint.publish.text import clean

    if not clean(text):
        raise UsageError("The comment has no printable text; give a TEXT.")
    _submit(IncidentOperation.COMMENT, "comment", incident, text=text, **options)


@incidents.command()
@incident_argument
@operation_options
def clear(incident: str, **options: Any) -> None:
    """Clear INCIDENT. If the fault persists, a new incident opens."""
    from faultprint.publish.incident import IncidentOperation

    _submit(IncidentOperation.CLEAR, "clear", incident, **options)


def _submit(
    operation: IncidentOperation,
    command: str,
    incident: str,
    *,
    config: Path | None,
    state: StateLocation | None,
    user: str | None,
    system: str | None,
    wait: float,
    as_json: bool,
    text: str = "",
) -> None:
    """Submit an operation to the monitor, and report whether it is done."""
    from faultprint.monitor.base.interfaces import SystemClock
    from faultprint.publish.incident import Actor

    queue = _command_queue(config, state)
    selected = queue.incident(incident)
    actor = Actor(user or getpass.getuser(), system or socket.gethostname(), SystemClock().now_us())
    selected.apply(operation, actor, text)  # raises here if the operation is not possible
    done = queue.wait(queue.submit([selected], operation, actor, text), wait)
    result = "done" if done else "submitted; the monitor does it as soon as it runs"
    identity = str(selected.identity)
    report(
        {"incident": identity, "command": command, "done": done},
        as_json,
        lambda: iter([f"{command} {identity}: {result}"]),
    )


def _command_queue(config: Path | None, state: StateLocation | None) -> CommandQueue:
    from faultprint.monitor.base.location import sibling
    from faultprint.monitor.config import settings
    from faultprint.monitor.control.requests import CommandQueue

    if config and not state:
        configuration = settings.read(config)
        if configuration.kafka is not None:
            example = sibling(configuration.state, f"{configuration.kafka.topic}-0")
            raise UsageError(
                f"With [kafka], each partition has its own incidents; give --state of one partition, such as {example}."
            )
        return CommandQueue(configuration.state)
    if state and not config:
        return CommandQueue(state)
    raise UsageError("This command reads the incidents of one monitor; give either --config or --state.")


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cells = [_COLUMNS, *(tuple(str(row.get(name, "-")) for name in _COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _lines(details: Mapping[str, Any]) -> Iterator[str]:
    """One line for each field; for a list, one more for each entry."""
    for name, value in details.items():
        if isinstance(value, list):
            yield from (f"{name}:", *(f"  {entry}" for entry in value))
        else:
            yield f"{name}: {value}"


def _conditions(incident: Incident) -> Iterator[str]:
    from faultprint.publish.text import MAX_NAME, clean, rfc3339

    yield from (
        f"{rfc3339(diagnosis.since_us)} {clean(diagnosis.condition, MAX_NAME)}" for diagnosis in incident.diagnoses
    )


def _comment(comment: Comment) -> str:
    from faultprint.publish.text import MAX_NAME, clean, rfc3339

    author = comment.author
    user, system = clean(author.user, MAX_NAME), clean(author.system, MAX_NAME)
    return f"{rfc3339(author.time_us)} {user} at {system}: {clean(comment.text)}"
