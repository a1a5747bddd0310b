"""What the commands share: progress, results, options, and types of arguments."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from faultprint.display import visible, visible_json
from faultprint.errors import UsageError
from faultprint.pretrained import defaults

if TYPE_CHECKING:
    from faultprint.cases.baseline import Baseline
    from faultprint.monitor.base.location import StateLocation

Interval = tuple[datetime, datetime]
EVER: Interval = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
PROGRESS_S: Final = 30.0
"""Without a terminal, a line says this often how far the work is."""
_FILES = "faultprint.files"


class _File(click.Path):
    """A file that a command reads or writes. What is written must differ from every other file of the command."""

    def __init__(self, *, written: bool, **options: Any) -> None:
        super().__init__(dir_okay=False, path_type=Path, **options)
        self._written = written

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if ctx is None:
            return path
        files: list[tuple[Path, bool]] = ctx.meta.setdefault(_FILES, [])
        for other, written in files:
            if (written or self._written) and same_file(path, other):
                raise UsageError(f"{path} is given twice, and one of the two would overwrite it; give another output.")
        files.append((path, self._written))
        return path


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file, also one that does not exist yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


INPUT = _File(written=False, exists=True)
OUTPUT = _File(written=True)
FOLDER = click.Path(file_okay=False, path_type=Path)


class Progress(Protocol):
    """Called with how far work has come; the note is shown behind the bar."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None: ...


@contextmanager
def progress_bar(what: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """How far work has come, on standard error: a bar on a terminal, else a line every PROGRESS_S. `clock`: seconds."""
    if not sys.stderr.isatty():
        yield _progress_lines(what, clock)
        return
    from tqdm import tqdm

    with tqdm(desc=what, leave=False, unit_scale=True) as bar:

        def update(done: int, total: int, note: str = "", /) -> None:
            bar.total = total
            bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)

        yield update


def _progress_lines(what: str, clock: Callable[[], float]) -> Progress:
    last = clock()

    def update(done: int, total: int, note: str = "", /) -> None:
        nonlocal last
        if clock() - last >= PROGRESS_S:
            last = clock()
            share = f"{100 * done / total:.0f} %" if total else f"{done:,}"
            click.echo(visible(f"faultprint: {what}: {share} done{note and f' ({note})'}"), err=True)

    return update


def report(result: Mapping[str, Any], as_json: bool, lines: Callable[[], Iterator[str]] | None = None) -> None:
    """Print `result` as one JSON object, or as lines to read."""
    if as_json:
        click.echo(visible_json(json.dumps(result, allow_nan=False, default=str)))
        return
    for line in lines() if lines else (f"{name}: {value}" for name, value in result.items()):
        click.echo(visible(line))


def warn_of_suspects(suspects: Mapping[str, str]) -> None:
    """Print a warning for each node whose baseline looks like a condition, on standard error."""
    for node, condition in suspects.items():
        click.echo(
            visible(
                f"faultprint: warning: first choice of a baseline of {node} looks like {condition}; give another --baseline "
                "if that is wrong."
            ),
            err=True,
        )


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the random numbers."
)
library_option = click.option(
    "--library",
    type=OUTPUT,
    default=defaults.default_library,
    help="Case library (SQLite).  [default: FAULTPRINT_LIBRARY, else your own library, else the starter library]",
)
changed_library_option = click.option(
    "--library",
    type=OUTPUT,
    default=defaults.changed_library,
    help="Case library (SQLite).  [default: FAULTPRINT_LIBRARY, else your own library]",
)
model_option = click.option(
    "--model",
    type=INPUT,
    default=defaults.default_model,
    help="Model file made by `faultprint train`.  [default: FAULTPRINT_MODEL, else the model in the box]",
)


class StateType(click.ParamType["StateLocation"]):
    """A monitor's state: a path, or a PostgreSQL URL."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> StateLocation:
        from faultprint.monitor.base.location import parse_location

        return parse_location(value, Path()) if isinstance(value, str) else value


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
confirm_option = click.option(
    "--confirm-minutes",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Minutes in a row that must agree before the verdict changes.",
)


class BaselineType(click.ParamType[tuple[str, Interval | None]]):
    """first, population, robust, START/END or robust:START/END, as a word and an interval."""

    name = "baseline"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Interval | None]:
        if isinstance(value, tuple):
            return value
        if value in ("first", "population", "robust"):
            return value, None
        if "/" not in value:
            self.fail(f"{value!r} is not first, population, robust or START/END", param, ctx)
        interval = value.removeprefix("robust:")
        return ("interval" if interval == value else "robust"), INTERVAL.convert(interval, param, ctx)


def baseline_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --baseline and --baseline-minutes; the command takes both as one argument `baseline`."""

    @wraps(command)
    def with_policy(
        *args: Any, baseline: tuple[str, Interval | None], baseline_minutes: int | None, **more: Any
    ) -> Any:
        return command(*args, baseline=_policy(*baseline, baseline_minutes), **more)

    kind = click.option(
        "--baseline",
        type=BaselineType(),
        metavar="[first|START/END|robust|population]",
        default="first",
        show_default=True,
        help="Each node's normal traffic: its first minutes, the interval START/END, robust (all minutes, or those of "
        "robust:START/END, without outliers) or population (the mean of many nodes, for a node without normal traffic).",
    )
    length = click.option(
        "--baseline-minutes",
        type=click.IntRange(min=30),
        help="Length of the baseline first (default: 60) or robust (default: all minutes).",
    )
    return kind(length(with_policy))


def _policy(kind: str, interval: Interval | None, minutes: int | None) -> Baseline:
    """Raises UsageError if a length is given for a baseline that has none."""
    from faultprint.cases.baseline import Baseline
    from faultprint.errors import UsageError

    if minutes and (interval or kind == "population"):
        raise UsageError(
            "--baseline-minutes is the length of --baseline first or robust; leave it out for an interval or population."
        )
    if kind == "population":
        return Baseline.population()
    if kind == "robust":
        return Baseline.robust(minutes) if minutes else Baseline.robust(within=interval or EVER)
    return Baseline.interval(*interval) if interval else Baseline.first(*([minutes] if minutes else []))
