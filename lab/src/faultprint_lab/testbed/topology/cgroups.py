"""A limit on the CPU time of the P-CSCF by the kernel's CPU controller (cgroup version 1 or 2)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from faultprint_lab.testbed.topology.namespaces import PREFIX

PERIOD_US: Final = 1_000_000
"""The longest period of the kernel: its smallest quota of 1 ms is then 0.001 of a CPU."""
_V1: Final = Path("/sys/fs/cgroup/cpu")
_V2: Final = Path("/sys/fs/cgroup")


def _root() -> Path | None:
    if (_V1 / "cpu.cfs_quota_us").exists() or (_V1 / "cgroup.procs").exists():
        return _V1
    controllers = _V2 / "cgroup.subtree_control"
    return _V2 if controllers.exists() and "cpu" in controllers.read_text().split() else None


def available() -> bool:
    """Whether this machine can limit CPU time."""
    return _root() is not None


def _folder(bed: str) -> Path | None:
    root = _root()
    return root / f"{PREFIX}{bed}" if root else None


def join(bed: str, pid: int) -> None:
    """Put a process and its future children into the group of the bed; there is no limit yet."""
    folder = _folder(bed)
    if folder is not None:
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text(str(pid))


def limit(bed: str, share: float | None) -> None:
    """Limit the group to `share` of one CPU; None removes the limit."""
    folder = _folder(bed)
    if folder is None:
        return
    quota = None if share is None else max(1000, int(share * PERIOD_US))
    if (folder / "cpu.max").exists():
        (folder / "cpu.max").write_text(f"{'max' if quota is None else quota} {PERIOD_US}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(-1 if quota is None else quota))


def members(bed: str) -> list[int]:
    """The processes in the group of a bed."""
    folder = _folder(bed)
    if folder is None or not folder.exists():
        return []
    return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]


def beds() -> list[str]:
    """Names of the beds that have a group."""
    root = _root()
    return sorted(path.name.removeprefix(PREFIX) for path in root.glob(f"{PREFIX}*")) if root else []


def remove(bed: str) -> None:
    """Remove the group of a bed. Its processes must have ended; the kernel may need a moment to notice."""
    folder = _folder(bed)
    for _ in range(40):
        if folder is None or not folder.exists():
            return
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.05)
