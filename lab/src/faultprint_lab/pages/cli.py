"""docs/reference/cli.md: the help text of every command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from faultprint.cli import cli


def page() -> str:
    """The page, Markdown, with one section for each command."""
    parts = [
        "# Command line\n",
        "Results go to standard output, progress and errors to standard error. An error that the user can correct is one "
        "sentence, and the exit code is 2. This page is generated from the help of the commands.\n",
    ]
    for path, command in _walk(cli, ("faultprint",)):
        context = click.Context(command, info_name=" ".join(path), max_content_width=110, terminal_width=110)
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, subcommand in sorted(command.commands.items()):
            yield from _walk(subcommand, (*path, name))
