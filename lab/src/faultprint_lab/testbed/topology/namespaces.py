"""Network namespaces, the links between them, and how all of it is taken away again."""

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
"""Everything a bed leaves on the machine has a name that begins with this."""
_NAMES: Final = Path("/run/netns")
_ETC: Final = Path("/etc/netns")


def namespace(bed: str, node: str) -> str:
    """Name of one node's namespace."""
    return f"{PREFIX}{bed}-{node}"


def command(arguments: Sequence[str], stdin: str | None = None, check: bool = True) -> str:
    """Run a program to its end and return what it printed. Raises UsageError with its own words where it fails."""
    done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UsageError(f"{' '.join(arguments[:6])} failed ({said[-1]}); is this machine allowed to make namespaces?")
    return done.stdout


def create(bed: str) -> None:
    """Make a bed's namespaces, bridges and links, all of them up. Raises UsageError."""
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
    command(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    for name in names.values():
        command(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])
    for node, name in names.items():
        command(["ip", "-n", name, "-batch", "-"], "\n".join(inside[node]) + "\n")


def write_resolver(bed: str, nodes: Iterable[str], dns: str, hosts: dict[str, str]) -> None:
    """What `ip netns exec` shows to a node's programs as /etc/resolv.conf and /etc/hosts."""
    for node in nodes:
        folder = _ETC / namespace(bed, node)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {dns}\noptions timeout:2 attempts:1\n")
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in hosts.items())]
        (folder / "hosts").write_text("\n".join(lines) + "\n")


def existing() -> list[str]:
    """Names of all namespaces on this machine that belong to a bed."""
    found = {path.name for folder in (_NAMES, _ETC) if folder.is_dir() for path in folder.iterdir()}
    return sorted(name for name in found if name.startswith(PREFIX))


def beds() -> list[str]:
    """The beds that have a namespace."""
    return sorted({name.removeprefix(PREFIX).rpartition("-")[0] for name in existing()})


def pids(name: str) -> list[int]:
    """Processes in one namespace."""
    if not (_NAMES / name).exists():
        return []
    return [int(pid) for pid in command(["ip", "netns", "pids", name], check=False).split()]


def remove(bed: str) -> None:
    """End every process of a bed and take its namespaces, with all rules and links in them, away."""
    names = [name for name in existing() if name.rpartition("-")[0] == f"{PREFIX}{bed}"]
    end_processes(names)
    for name in names:
        if (_NAMES / name).exists():
            command(["ip", "netns", "del", name], check=False)
        shutil.rmtree(_ETC / name, ignore_errors=True)
    if _ETC.is_dir() and not any(_ETC.iterdir()):
        _ETC.rmdir()


def end_processes(names: Sequence[str], patience: float = 10.0) -> None:
    """Kill what runs in these namespaces, until nothing does. Raises UsageError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        left = [pid for name in names for pid in pids(name) if pid != os.getpid()]
        if not left:
            return
        if time.monotonic() > deadline:
            raise UsageError(f"Process {left[0]} of the test bed does not end; kill it, then run testbed down again.")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
