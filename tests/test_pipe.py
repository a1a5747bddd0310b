"""A reader that stops reading, such as `head`, is no mistake of the user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAULTPRINT = Path(sys.executable).parent / "faultprint"


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("probe", "--help")])
def test_a_closed_pipe_ends_the_command_quietly(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run([FAULTPRINT, *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")
