"""The command `completion`: the script that lets a shell complete commands, options and files."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_FAULTPRINT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: eval "$(faultprint completion bash)"          in ~/.bashrc
    zsh:  eval "$(faultprint completion zsh)"           in ~/.zshrc
    fish: faultprint completion fish | source           in ~/.config/fish/config.fish
    """
    script = get_completion_class(shell)
    assert script is not None, shell
    click.echo(script(context.find_root().command, {}, "faultprint", _VARIABLE).source())
