"""Network namespaces and the links between them: create and remove."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint_lab.testbed.topology.addresses import LINKS, NODES, SUBSCRIBERS, SWITCH

PREFIX: Final = "fpt-"
"""Prefix of all names that a bed creates on the machine."""
_NAMES: Final = Path("/run/netns")
_ETC: Final = Path("/etc/netns")


def namespace(bed: str, node: str) -> str:
    """Name of the namespace of a node."""
    return f"{PREFIX}{bed}-{node}"


def run_command(arguments: Sequence[str], stdin: str | None = None, check: bool = True) -> str:
    """Run a program and return its output. Raises UsageError with its error message if it fails."""
    result = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=60)
    if check and result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no reason given"]
        raise UsageError(
            f"{' '.join(arguments[:6])} failed ({lines[-1]}); check that this machine may create network namespaces."
        )
    return result.stdout


def create(bed: str) -> None:
    """Create the namespaces, bridges and links of a bed and bring them up. Raises UsageError."""
    names = {node: namespace(bed, node) for node in (*NODES, SWITCH)}
    lines = [f"netns add {name}" for name in names.values()]
    inside: dict[str, list[str]] = {node: ["link set lo up"] for node in names}
    for link, members in LINKS.items():
        inside[SWITCH] += [f"link add {link} type bridge forward_delay 0 mcast_snooping 0", f"link set {link} up"]
        for node, address in members.items():
            port = f"{link}-{node}"
            lines.append(f"link add {link} netns {names[node]} type veth peer name {port} netns {names[SWITCH]}")
            inside[SWITCH] += [f"link set {port} master {link}", f"link set {port} up"]
            inside[node] += [f"addr add {address}/24 dev {link}", f"link set {link} up"]
    inside["ue"].append(f"route add local {SUBSCRIBERS} dev lo")
    inside["pcscf"].append(f"route add {SUBSCRIBERS} via {LINKS['gm']['ue']}")
    run_command(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    for name in names.values():
        run_command(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])
    for node, name in names.items():
        run_command(["ip", "-n", name, "-batch", "-"], "\n".join(inside[node]) + "\n")


def write_resolver(bed: str, nodes: Iterable[str], dns: str, hosts: dict[str, str]) -> None:
    """Write /etc/resolv.conf and /etc/hosts as `ip netns exec` shows them to the programs of each node."""
    for node in nodes:
        folder = _ETC / namespace(bed, node)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {dns}\noptions timeout:2 attempts:1\n")
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in hosts.items())]
        (folder / "hosts").write_text("\n".join(lines) + "\n")


def existing() -> list[str]:
    """Names of all namespaces of beds on this machine."""
    names = {path.name for folder in (_NAMES, _ETC) if folder.is_dir() for path in folder.iterdir()}
    return sorted(name for name in names if name.startswith(PREFIX))


def beds() -> list[str]:
    """Names of the beds that have a namespace."""
    return sorted({name.removeprefix(PREFIX).rpartition("-")[0] for name in existing()})


def pids(name: str) -> list[int]:
    """Processes in a namespace."""
    if not (_NAMES / name).exists():
        return []
    return [int(pid) for pid in run_command(["ip", "netns", "pids", name], check=False).split()]


def remove(bed: str) -> None:
    """End all processes of a bed and remove its namespaces with their rules and links."""
    names = [name for name in existing() if name.rpartition("-")[0] == f"{PREFIX}{bed}"]
    end_processes(names)
    for name in names:
        if (_NAMES / name).exists():
            run_command(["ip", "netns", "del", name], check=False)
        shutil.rmtree(_ETC / name, ignore_errors=True)
    if _ETC.is_dir() and not any(_ETC.iterdir()):
        _ETC.rmdir()


def end_processes(names: Sequence[str], timeout: float = 10.0) -> None:
    """Kill all processes in these namespaces. Raises UsageError if one still runs after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        running = [pid for name in names for pid in pids(name) if pid != os.getpid()]
        if not running:
            return
        if time.monotonic() > deadline:
            raise UsageError(
                f"Process {running[0]} of the test bed does not end; kill it, then run testbed down again."
            )
        for pid in running:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
