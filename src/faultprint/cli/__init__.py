"""The command line: one thin function for each command. Only this package connects the stages.

Results go to standard output, progress and errors to standard error. An error that the user can correct is one sentence
and exit code 2. Each command imports what it needs when it runs, so that the probe stays small.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import Final

import click

from faultprint.cli import (
    cases,
    completion,
    diagnose,
    evaluate,
    identify,
    incidents,
    inspect,
    key,
    model,
    monitor,
    probe,
    produce,
    train,
)
from faultprint.display import visible
from faultprint.errors import FaultprintError
from faultprint.version import __version__

PLUGINS: Final = "faultprint.commands"
"""Entry point group through which another distribution adds commands."""

EXTRAS: Final = {
    "torch": "train",
    "onnx": "train",
    "optuna": "train",
    "lightgbm": "train",
    "sklearn": "train",
    "confluent_kafka": "monitor",
    "prometheus_client": "monitor",
    "psycopg": "postgres",
    "cryptography": "monitor",
}
"""Optional packages, by the name of their import, and the extra of faultprint that installs them."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="faultprint")
def cli() -> None:
    """Name the faults of a telecom node from its SIP and Diameter traffic.

    \b
    packets ─probe→ transactions ─features→ minutes ─train→ model
    minutes + model + library ─identify→ verdicts
    """


for command in (
    diagnose.diagnose,
    inspect.inspect,
    probe.probe,
    probe.features,
    train.train,
    train.tune,
    cases.cases,
    completion.completion,
    identify.identify,
    evaluate.evaluate,
    model.model,
    key.key,
    monitor.monitor,
    monitor.replay,
    incidents.incidents,
    produce.produce,
):
    cli.add_command(command)
for plugin in entry_points(group=PLUGINS):
    cli.add_command(plugin.load(), plugin.name)


def main() -> None:
    """Entry point of the `faultprint` command."""
    try:
        status = cli.main(prog_name="faultprint", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        click.echo(_sentence(error), err=True)
        status = 2
    except click.Abort:
        status = 130
    except (BrokenPipeError, SystemExit):
        # The reader has what it wanted, as in `faultprint ... | head`; click turns a closed pipe into SystemExit and raises
        # that for nothing else here. Python must not flush into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 0
    except (FaultprintError, OSError) as error:
        click.echo(visible(f"faultprint: {error}"), err=True)
        status = 2
    except _damaged_table() as error:
        click.echo(
            f"faultprint: a table is damaged ({visible(str(error).splitlines()[0][:120])}); make it again.", err=True
        )
        status = 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        click.echo(
            f"faultprint: this command needs the package {package}, which is not installed; run: "
            f"pip install 'faultprint[{EXTRAS[package]}]'",
            err=True,
        )
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _damaged_table() -> tuple[type[Exception], ...]:
    """The errors of a table whose rows cannot be read. Commands that read none do not load Polars."""
    polars = sys.modules.get("polars")
    return (polars.exceptions.PolarsError,) if polars else ()


def _sentence(error: click.ClickException) -> str:
    """A mistake on the command line, and the command that explains it; the help itself for a group without a command."""
    message = visible(error.format_message(), lines=True)
    context = getattr(error, "ctx", None)
    if context is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return message
    return f"faultprint: {message.rstrip('.')}; see: {context.command_path} --help"
