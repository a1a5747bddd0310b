"""The recording machine: its load during a recording, and software versions."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Final

from faultprint.version import __version__
from faultprint_lab.testbed.topology import packages

_FIELDS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_PRESSURE: Final = Path("/proc/pressure/cpu")


class MachineLoad:
    """The load of the machine since this object was created."""

    def __init__(self) -> None:
        self._ticks, self._stalled = _ticks(), _stalled_us()
        self._started = _uptime()

    def read(self) -> dict[str, float]:
        """Shares of the time since creation, and the load average of the last 15 minutes.

        busy      CPU time in use, over all CPUs
        stolen    CPU time taken by the host
        stalled   time in which some process waited for a CPU
        """
        spent = {name: after - self._ticks[name] for name, after in _ticks().items()}
        total = max(1, sum(spent.values()))
        seconds = max(0.01, _uptime() - self._started)
        return {
            "busy": round(1 - (spent["idle"] + spent["iowait"]) / total, 4),
            "stolen": round(spent["steal"] / total, 4),
            "stalled": round((_stalled_us() - self._stalled) / 1e6 / seconds, 4),
            "load_15min": round(os.getloadavg()[2], 2),
        }


def versions() -> dict[str, str]:
    """Versions of Kamailio, kernel, Python and Faultprint."""
    program = packages.program("kamailio")
    output = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=20).stdout if program else ""
    return {
        "kamailio": (output.splitlines() or ["unknown"])[0].removeprefix("version: "),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "faultprint": __version__,
    }


def _ticks() -> dict[str, int]:
    values = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return dict(zip(_FIELDS, map(int, values), strict=False))


def _stalled_us() -> int:
    """Total of `some` in the kernel's CPU pressure information; 0 if there is none."""
    try:
        return int(_PRESSURE.read_text().splitlines()[0].rpartition("total=")[2])
    except (OSError, ValueError):
        return 0


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])
