"""The verbs for people who deal with incidents: see them, and say what is done about them."""

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
    from faultprint.monitor.control.requests import CommandQueue
    from faultprint.monitor.state.connect import State
    from faultprint.publish.incident import Comment, Incident

config_option = click.option("--config", type=INPUT, help="Configuration of the monitor, which names its state.")
state_option = click.option(
    "--state", type=StateType(), metavar="FILE|URL", help="State of the monitor, or of a replay, instead."
)
user_option = click.option("--user", help="Who says so.  [default: the user of this shell]")
system_option = click.option("--system", help="On which system.  [default: this machine's name]")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the monitor to do it.",
)
incident_argument = click.argument("incident")

_COLUMNS = ("incident", "node", "condition", "severity", "state", "onset", "cleared", "acknowledged_by")


@click.group()
def incidents() -> None:
    """See a monitor's incidents; acknowledge, comment and clear them."""


@incidents.command(name="list")
@config_option
@state_option
@click.option("--all", "everything", is_flag=True, help="Also those that are cleared and still kept.")
@click.option("--node", help="Those of this node only.")
@json_option
def list_(config: Path | None, state: State | None, everything: bool, node: str | None, as_json: bool) -> None:
    """List open incidents, latest change last."""
    from faultprint.publish.record import record

    found = _desk(config, state).incidents(cleared=everything)
    rows = [record(incident) for incident in found if node is None or incident.node == node]
    report({"incidents": rows}, as_json, lambda: _table(rows))


@incidents.command()
@incident_argument
@config_option
@state_option
@json_option
def show(incident: str, config: Path | None, state: State | None, as_json: bool) -> None:
    """All that is known of the incident whose id begins with INCIDENT: what was believed since when, why, what people said."""
    from faultprint.publish.record import record

    found = _desk(config, state).incident(incident)
    whole = record(found) | {"conditions": list(_conditions(found)), "comments": list(map(_comment, found.comments))}
    report(whole, as_json, lambda: _facts(whole))


def deed_options(function: Callable[..., None]) -> Callable[..., None]:
    """What all deeds share: the incident, where it is kept, who does it, and how long to wait."""
    for option in (json_option, wait_option, system_option, user_option, state_option, config_option):
        function = option(function)
    return function


@incidents.command()
@incident_argument
@deed_options
def acknowledge(incident: str, **options: Any) -> None:
    """Tell everybody that INCIDENT has been seen."""
    _ask("acknowledge", incident, **options)


@incidents.command()
@incident_argument
@deed_options
def withdraw(incident: str, **options: Any) -> None:
    """Withdraw the acknowledgement of INCIDENT."""
    _ask("withdraw", incident, **options)


@incidents.command()
@incident_argument
@click.argument("text")
@deed_options
def comment(incident: str, text: str, **options: Any) -> None:
    """Say TEXT about INCIDENT."""
    from faultprint.publish.text import clean

    if not clean(text):
        raise UsageError("A comment must say something that can be printed; give its TEXT.")
    _ask("comment", incident, text=text, **options)


@incidents.command()
@incident_argument
@deed_options
def clear(incident: str, **options: Any) -> None:
    """End INCIDENT; a fault that lasts becomes another one."""
    _ask("clear", incident, **options)


def _ask(
    deed: str,
    incident: str,
    *,
    config: Path | None,
    state: State | None,
    user: str | None,
    system: str | None,
    wait: float,
    as_json: bool,
    text: str = "",
) -> None:
    """Leave the instruction, and tell whether the monitor has carried it out."""
    from faultprint.monitor.base.interfaces import SystemClock
    from faultprint.publish.incident import Actor, IncidentOperation

    desk = _desk(config, state)
    found = desk.incident(incident)
    person = Actor(user or getpass.getuser(), system or socket.gethostname(), SystemClock().now_us())
    found.apply(IncidentOperation(deed), person, text)  # what cannot be done as things are is refused here
    done = desk.settled(desk.instruct([found], IncidentOperation(deed), person, text), wait)
    said = "done" if done else "asked for; the monitor does it as soon as it runs"
    identity = str(found.identity)
    report({"incident": identity, "deed": deed, "done": done}, as_json, lambda: iter([f"{deed} {identity}: {said}"]))


def _desk(config: Path | None, state: State | None) -> CommandQueue:
    from faultprint.monitor.config import settings
    from faultprint.monitor.control.requests import CommandQueue
    from faultprint.monitor.state.connect import beside

    if config and not state:
        wanted = settings.read(config)
        if wanted.kafka is not None:
            first = beside(wanted.state, f"{wanted.kafka.topic}-0")
            raise UsageError(
                f"With [kafka] each partition has incidents of its own; name one's --state, such as {first}."
            )
        return CommandQueue(wanted.state)
    if state and not config:
        return CommandQueue(state)
    raise UsageError("The incidents of one monitor can be seen; give either --config or --state.")


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cells = [_COLUMNS, *(tuple(str(row.get(name, "-")) for name in _COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _facts(whole: Mapping[str, Any]) -> Iterator[str]:
    """A line a fact; of lists, a line an entry."""
    for name, value in whole.items():
        if isinstance(value, list):
            yield from (f"{name}:", *(f"  {entry}" for entry in value))
        else:
            yield f"{name}: {value}"


def _conditions(incident: Incident) -> Iterator[str]:
    from faultprint.publish.text import NAME, clean, rfc3339

    yield from (f"{rfc3339(spell.since_us)} {clean(spell.condition, NAME)}" for spell in incident.spells)


def _comment(comment: Comment) -> str:
    from faultprint.publish.text import NAME, clean, rfc3339

    by = comment.by
    return f"{rfc3339(by.time_us)} {clean(by.user, NAME)} at {clean(by.system, NAME)}: {clean(comment.text)}"
