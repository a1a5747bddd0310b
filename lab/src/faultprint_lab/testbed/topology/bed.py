"""One bed: start it, look at it, remove it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint_lab.testbed.protocols import control
from faultprint_lab.testbed.topology import cgroups, kamailio, namespaces, packages
from faultprint_lab.testbed.topology.addresses import LINKS, NODES, REALM, ZONE
from faultprint_lab.testbed.topology.network import BedNetwork

RUN: Final = Path("/run/faultprint-testbed")
"""Folder of all beds; each has a subfolder for configurations, logs and sockets."""

_PEERS: Final = {f"{node}.{REALM}" for node in kamailio.CSCFS}
_RESOLVED: Final = (f"hss.{REALM}", f"pcrf.{REALM}")


@dataclass(slots=True)
class Bed:
    """A running bed. If `owned`, its processes end when the process that started them ends."""

    name: str
    network: BedNetwork
    seed: int
    owned: bool = False
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder of configurations, logs and sockets."""
        return RUN / self.name

    def socket(self, process: str) -> Path:
        """The control socket of the process `servers` or `load`."""
        return self.folder / f"{process}.sock"

    def namespace(self, node: str) -> str:
        """Name of the namespace of a node."""
        return namespaces.namespace(self.name, node)

    def start(self, name: str, node: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start a program in the namespace of a node; its output goes to a log file in the folder."""
        prefix = ["setpriv", "--pdeathsig", "SIGTERM"] if self.owned else []
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, "ip", "netns", "exec", self.namespace(node), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        self.processes[name] = process
        return process

    def send_command(self, process: str, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command to the process `servers` or `load`. Raises UsageError if it does not answer."""
        try:
            return control.send_command(self.socket(process), command)
        except OSError as error:
            raise UsageError(f"The test bed process {process} does not answer ({error}); run testbed down.") from error

    def log(self, name: str) -> str:
        """The first error in the log of a program, else its last line."""
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "CRITICAL" in line or "ERROR" in line]
        return (errors[:1] or lines[-1:] or ["it printed nothing"])[0].strip()

    def check(self) -> None:
        """Raises UsageError if a program of the bed has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise UsageError(f"The test bed program {name} ended ({self.log(name)}); try again.")

    def wait_for(self, name: str, ready: Callable[[], bool], timeout: float = 20.0) -> None:
        """Poll until `ready`. Raises UsageError if a program has ended, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise UsageError(
                    f"The test bed program {name} was not ready after {timeout:g} s; is this machine overloaded?"
                )
            time.sleep(0.05)


def new_name() -> str:
    """A name that no bed on this machine uses."""
    taken = {*namespaces.beds(), *(path.name for path in (RUN.iterdir() if RUN.is_dir() else ()))}
    return next(name for name in (f"b{number}" for number in range(1, 10_000)) if name not in taken)


def up(network: BedNetwork, seed: int, *, name: str | None = None, owned: bool = False, hep: str | None = None) -> Bed:
    """Start a complete IMS and wait until its Diameter peers are connected; takes about 2 s.

    Raises UsageError if the machine lacks something or a program does not start; the bed is removed then.
    """
    if missing := packages.missing():
        raise UsageError(missing)
    bed = Bed(_claim(name), network, seed, owned)
    try:
        _start(bed, hep)
    except BaseException:
        down(bed.name)
        raise
    return bed


def _claim(name: str | None) -> str:
    """Reserve a name by creating its folder, so that two beds cannot get the same name."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    while True:
        claimed = name or new_name()
        try:
            (RUN / claimed).mkdir(mode=0o700)
        except FileExistsError:
            if name:
                raise UsageError(f"A test bed named {name} exists; remove it first, or choose another name.") from None
        else:
            return claimed


def _start(bed: Bed, hep: str | None) -> None:
    modules = packages.modules()
    if modules is None:
        raise UsageError("Kamailio's modules are not installed: run make testbed-setup.")
    record = {
        "name": bed.name,
        "owner": os.getpid(),
        "seed": bed.seed,
        "network": asdict(bed.network),
        "owned": bed.owned,
    }
    (bed.folder / "bed.json").write_text(json.dumps(record))
    namespaces.create(bed.name)
    hosts = {name: ZONE[name] for name in _RESOLVED}
    namespaces.write_resolver(bed.name, NODES, LINKS["dns"]["servers"], hosts)
    kamailio.write(bed.folder, bed.network, modules, hep)
    (bed.folder / "servers.json").write_text(json.dumps(_server_settings(bed)))
    start = [sys.executable, "-m", "faultprint_lab.testbed.servers.process", str(bed.folder / "servers.json")]
    bed.start("servers", "servers", start)
    (bed.folder / "load.json").write_text(json.dumps(_load_settings(bed)))
    bed.start(
        "load",
        "ue",
        [sys.executable, "-m", "faultprint_lab.testbed.subscribers.process", str(bed.folder / "load.json")],
    )
    bed.wait_for("servers", bed.socket("servers").exists)
    program = packages.program("kamailio") or "kamailio"
    (bed.folder / "tmp").mkdir()
    for node in kamailio.CSCFS:
        # Kamailio's Diameter module leaves pipes in /tmp; `ip netns exec` gives the process its own mounts.
        private = ["sh", "-c", 'mount --bind "$0" /tmp && exec "$@"', str(bed.folder / "tmp")]
        options = ["-f", str(bed.folder / f"{node}.cfg"), "-Y", str(bed.folder), "-m", "256", "-M", "8", "-DD", "-E"]
        arguments = [*private, program, *options]
        process = bed.start(node, node, arguments)
        if node == "pcscf":
            cgroups.join(bed.name, process.pid)
    bed.wait_for("load", bed.socket("load").exists)
    peers = _PEERS if bed.network.rx else _PEERS - {f"pcscf.{REALM}"}
    bed.wait_for("CSCFs", lambda: peers <= set(control.send_command(bed.socket("servers"), {"status": True})["peers"]))


def _load_settings(bed: Bed) -> dict[str, Any]:
    return {"control": str(bed.socket("load")), "seed": bed.seed, "network": asdict(bed.network)}


def _server_settings(bed: Bed) -> dict[str, Any]:
    network = bed.network
    return {
        "realm": REALM,
        "control": str(bed.socket("servers")),
        "seed": bed.seed,
        "subscribers": network.subscribers,
        "application_server_share": network.as_share,
        "hss_address": LINKS["cx"]["servers"],
        "pcrf_address": LINKS["rx"]["servers"],
        "dns_address": LINKS["dns"]["servers"],
        "as_address": LINKS["isc"]["servers"],
        "scscf_isc_address": LINKS["isc"]["scscf"],
        "zone": ZONE,
        "dns_ttl": network.dns_ttl,
        "dns_delay": network.dns_delay_ms / 1e3,
        "hss_delay": network.hss_delay_ms / 1e3,
        "pcrf_delay": network.pcrf_delay_ms / 1e3,
    }


def down(name: str | None = None) -> list[str]:
    """Remove a bed, or all beds of this machine, including remains of crashed ones. Returns their names."""
    known = {*namespaces.beds(), *cgroups.beds(), *(path.name for path in (RUN.iterdir() if RUN.is_dir() else ()))}
    names = sorted(known if name is None else known & {name})
    for bed in names:
        namespaces.remove(bed)
        cgroups.remove(bed)
        shutil.rmtree(RUN / bed, ignore_errors=True)
    if RUN.is_dir() and not any(RUN.iterdir()):
        RUN.rmdir()
    return names


def remove_orphans() -> list[str]:
    """Remove the beds of recordings that were killed: owned beds whose owner no longer runs. Returns their names."""
    removed = []
    for folder in _folders():
        try:
            record = json.loads((folder / "bed.json").read_text())
        except (OSError, ValueError):
            continue
        if record["owned"] and not Path(f"/proc/{record['owner']}").exists():
            removed += down(folder.name)
    return removed


def status() -> list[dict[str, Any]]:
    """The state of all beds, as `describe` gives it."""
    return [describe(name) for name in sorted({*namespaces.beds(), *(p.name for p in _folders())})]


def _folders() -> list[Path]:
    return list(RUN.iterdir()) if RUN.is_dir() else []


def describe(name: str) -> dict[str, Any]:
    """The state of one bed: number of processes, memory (MB), CPU time (s), network, owner and Diameter peers."""
    pids = [pid for node in NODES for pid in namespaces.pids(namespaces.namespace(name, node))]
    state: dict[str, Any] = {"name": name, "processes": len(pids), **process_usage(pids)}
    try:
        record: Mapping[str, Any] = json.loads((RUN / name / "bed.json").read_text())
        state["network"] = record["network"]["name"]
        state["owner"] = record["owner"]
        state["peers"] = sorted(control.send_command(RUN / name / "servers.sock", {"status": True})["peers"])
    except (OSError, ValueError, KeyError):
        state["peers"] = []
    return state


def process_usage(pids: list[int]) -> dict[str, float]:
    """Proportional set size (MB) and CPU time (s) of processes; ended processes do not count."""
    memory = ticks = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        memory += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
        ticks += int(fields[11]) + int(fields[12])
    return {"memory_mb": round(memory / 1024, 1), "cpu_s": ticks / os.sysconf("SC_CLK_TCK")}


def pause_processes(pids: list[int], paused: bool) -> None:
    """Pause or resume processes."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)
        except ProcessLookupError:
            continue
