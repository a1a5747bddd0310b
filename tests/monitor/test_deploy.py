"""The unit, the container file and the configuration of deploy/: what can be checked without systemd and without a container."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.synthetic import minutes

from faultprint.cli import cli
from faultprint.features.minutes import write_minutes
from faultprint.monitor.config import settings

from .conftest import Deployment

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = (DEPLOY / "systemd/faultprint-monitor.service").read_text()
CONTAINER = (DEPLOY / "container/Containerfile").read_text()
PR_SET_MDWE = 65
WRITABLE = "/var/lib/faultprint/"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "faultprint-monitor.service"
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT))
    for words in (("verify",), ("security", "--offline=yes", "--threshold=25")):
        result = subprocess.run(["systemd-analyze", *words, str(unit)], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0 and "Unknown" not in result.stderr, result.stdout + result.stderr


def test_unit_and_container_start_the_same_verb() -> None:
    found = re.search(r"(?m)^ExecStart=(\S+) (.+)$", UNIT)
    assert found
    program, words = found[1], found[2].split()
    assert f'ENTRYPOINT ["{program}"]' in CONTAINER
    assert "CMD [{}]".format(", ".join(f'"{word}"' for word in words)) in CONTAINER
    assert any(words[1] in option.opts for option in cli.commands[words[0]].params)


def test_the_configuration_writes_only_where_the_unit_may() -> None:
    found = settings.read(DEPLOY / "monitor.toml")
    written = (found.library, found.state, found.probe.key_file, *(sink.path for sink in found.sink))
    assert all(str(path).startswith(WRITABLE) for path in written)
    assert f"WorkingDirectory={WRITABLE.rstrip('/')}\n" in UNIT and "StateDirectory=faultprint\n" in UNIT


def test_the_monitor_runs_where_no_page_may_be_written_and_executed(deployment: Deployment, tmp_path: Path) -> None:
    """MemoryDenyWriteExecute, by the kernel's own switch."""
    variables = dict(re.findall(r"(?m)^Environment=(\w+)=(.*)$", UNIT))
    write_minutes(minutes("beta-1", 70), tmp_path / "minutes.parquet")
    config = tmp_path / "monitor.toml"
    config.write_text(f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "state.db"\n')
    words = ("replay", tmp_path / "minutes.parquet", "--config", config)
    result = subprocess.run(
        [sys.executable, "-c", "from faultprint.cli import main; main()", *map(str, words)],
        env=os.environ | variables,
        preexec_fn=_deny,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if result.returncode == 77:
        pytest.skip("the kernel cannot deny pages that are written and executed (Linux 6.3 or later)")
    assert result.returncode == 0, result.stderr


def _deny() -> None:
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0:
        os._exit(77)
