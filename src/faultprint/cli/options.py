"""What the verbs share: progress, reports, options, and kinds of arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from faultprint.monitor.state.connect import State

Interval = tuple[datetime, datetime]
EVER: Interval = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class Progress(Protocol):
    """How far work has come; `note` stands behind the bar."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None: ...


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on standard error, where somebody watches; silent elsewhere."""
    from tqdm import tqdm

    with tqdm(desc=what, disable=None, leave=False, unit_scale=True) as bar:

        def update(done: int, total: int, note: str = "", /) -> None:
            bar.total = total
            bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)

        yield update


def report(result: Mapping[str, Any], as_json: bool, lines: Callable[[], Iterator[str]] | None = None) -> None:
    """Print `result` as one JSON object, or as lines for people."""
    if as_json:
        click.echo(json.dumps(result, allow_nan=False, default=str))
        return
    for line in lines() if lines else (f"{name}: {value}" for name, value in result.items()):
        click.echo(line)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of all that is random."
)
library_option = click.option("--library", type=OUTPUT, required=True, help="Case library (SQLite).")
model_option = click.option("--model", type=INPUT, required=True, help="Artefact made by `faultprint train`.")


class StateType(click.ParamType["State"]):
    """A monitor's state: a path, or a PostgreSQL URL."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> State:
        from faultprint.monitor.state.connect import parse

        return parse(value, Path()) if isinstance(value, str) else value


class IntervalType(click.ParamType[tuple[datetime, datetime]]):
    """START/END in ISO 8601; a time without zone is UTC."""

    name = "START/END"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[datetime, datetime]:
        if isinstance(value, tuple):
            return value
        try:
            start, end = (datetime.fromisoformat(part) for part in str(value).split("/"))
        except ValueError:
            self.fail(
                f"{value!r} is not START/END in ISO 8601, such as 2026-01-05T00:00/2026-01-05T01:00",
                param,
                ctx,
            )
        start, end = (at.replace(tzinfo=at.tzinfo or UTC) for at in (start, end))
        if end <= start:
            self.fail(f"{value!r} ends before it starts; give START/END in that order", param, ctx)
        return start, end


INTERVAL = IntervalType()
normal_option = click.option(
    "--normal", type=INTERVAL, help="A stretch of each node's own normal traffic.  [default: its first hour]"
)
persistence_option = click.option(
    "--persistence",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Minutes that must agree before the verdict changes.",
)
profile_option = click.option(
    "--profile-minutes",
    type=click.IntRange(min=30),
    default=60,
    show_default=True,
    help="Length of a node's first, normal, stretch.",
)
