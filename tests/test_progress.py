"""Long work says how far it is without a terminal, too; shells complete commands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.cli.completion import SHELLS
from faultprint.cli.options import progress_bar
from faultprint.version import __version__


def test_a_line_comes_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with progress_bar("bytes", lambda: now) as progress:
        for done in range(100):
            now += 1
            progress(done, 100, "a\x1b.pcap")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"faultprint: bytes: {share} % done (a\\x1b.pcap)" for share in (29, 59, 89)]


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("bytes") as progress:
        progress(1, 0)
        progress(2, 2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_its_completion_script(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0 and "_FAULTPRINT_COMPLETE" in result.stdout


def test_bash_completes_commands() -> None:
    code = "from faultprint.cli import cli; cli(prog_name='faultprint')"
    environment = {"_FAULTPRINT_COMPLETE": "bash_complete", "COMP_WORDS": "faultprint diag", "COMP_CWORD": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": ":".join(sys.path)},
        timeout=60,
    )
    assert found.stdout.strip() == "plain,diagnose"


def test_the_version_has_a_short_option() -> None:
    assert CliRunner().invoke(cli, ["-V"]).stdout == CliRunner().invoke(cli, ["--version"]).stdout
    assert __version__ in CliRunner().invoke(cli, ["-V"]).stdout
