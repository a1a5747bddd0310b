"""One bed: brought up, looked at, taken down."""

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
from faultprint_lab.testbed.topology.network import TestbedNetwork

RUN: Final = Path("/run/faultprint-testbed")
"""Where beds keep configurations, logs and sockets; one folder each."""

_PEERS: Final = {f"{node}.{REALM}" for node in kamailio.CSCFS}
_RESOLVED: Final = (f"hss.{REALM}", f"pcrf.{REALM}")


@dataclass(slots=True)
class Bed:
    """A bed that runs. `tied` processes end with the process that started them."""

    name: str
    network: TestbedNetwork
    seed: int
    tied: bool = False
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Configurations, logs and sockets."""
        return RUN / self.name

    def socket(self, what: str) -> Path:
        """Where `servers` or `load` takes orders."""
        return self.folder / f"{what}.sock"

    def namespace(self, node: str) -> str:
        """Name of a node's namespace."""
        return namespaces.namespace(self.name, node)

    def start(self, what: str, node: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start a program in a node's namespace; what it prints goes to the folder."""
        tie = ["setpriv", "--pdeathsig", "SIGTERM"] if self.tied else []
        with (self.folder / f"{what}.log").open("wb") as log:
            process = subprocess.Popen(
                [*tie, "ip", "netns", "exec", self.namespace(node), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        self.processes[what] = process
        return process

    def order(self, what: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order to `servers` or `load`. Raises UsageError where it does not answer."""
        try:
            return control.ask(self.socket(what), order)
        except OSError as error:
            raise UsageError(f"The test bed's {what} does not answer ({error}); run testbed down.") from error

    def log(self, what: str) -> str:
        """The first complaint that a program printed, else its last line."""
        lines = (self.folder / f"{what}.log").read_text(errors="replace").strip().splitlines()
        complaints = [line for line in lines if "CRITICAL" in line or "ERROR" in line]
        return (complaints[:1] or lines[-1:] or ["it printed nothing"])[0].strip()

    def check(self) -> None:
        """Raises UsageError when a program of the bed has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise UsageError(f"The test bed's {name} ended by itself ({self.log(name)}); try again.")

    def await_(self, what: str, ready: Callable[[], bool], patience: float = 20.0) -> None:
        """Poll until `ready`. Raises UsageError when a program has ended, or `patience` seconds are over."""
        deadline = time.monotonic() + patience
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise UsageError(
                    f"The test bed's {what} was not ready after {patience:g} s; is this machine overloaded?"
                )
            time.sleep(0.05)


def new_name() -> str:
    """A name that no bed on this machine has."""
    taken = {*namespaces.beds(), *(path.name for path in (RUN.iterdir() if RUN.is_dir() else ()))}
    return next(name for name in (f"b{number}" for number in range(1, 10_000)) if name not in taken)


def up(
    network: TestbedNetwork, seed: int, *, name: str | None = None, tied: bool = False, hep: str | None = None
) -> Bed:
    """Start a whole IMS and wait until its Diameter peers know each other; about two seconds.

    Raises UsageError where the machine lacks something or a part does not start; nothing is left over then.
    """
    lacking = packages.missing()
    if lacking:
        raise UsageError(lacking)
    bed = Bed(_claim(name), network, seed, tied)
    try:
        _start(bed, hep)
    except BaseException:
        down(bed.name)
        raise
    return bed


def _claim(name: str | None) -> str:
    """Take a name by making its folder, so that two beds started at once cannot both have it."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    while True:
        claimed = name or new_name()
        try:
            (RUN / claimed).mkdir(mode=0o700)
        except FileExistsError:
            if name:
                raise UsageError(
                    f"A test bed named {name} exists; take it down first, or choose another name."
                ) from None
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
        "tied": bed.tied,
    }
    (bed.folder / "bed.json").write_text(json.dumps(record))
    namespaces.create(bed.name)
    hosts = {name: ZONE[name] for name in _RESOLVED}
    namespaces.write_resolver(bed.name, NODES, LINKS["dns"]["servers"], hosts)
    kamailio.write(bed.folder, bed.network, modules, hep)
    (bed.folder / "servers.json").write_text(json.dumps(_server_settings(bed)))
    start = [sys.executable, "-m", "faultprint_lab.testbed.servers.start", str(bed.folder / "servers.json")]
    bed.start("servers", "servers", start)
    (bed.folder / "load.json").write_text(json.dumps(_load_settings(bed)))
    bed.start(
        "load", "ue", [sys.executable, "-m", "faultprint_lab.testbed.subscribers.load", str(bed.folder / "load.json")]
    )
    bed.await_("servers", bed.socket("servers").exists)
    program = packages.program("kamailio") or "kamailio"
    (bed.folder / "tmp").mkdir()
    for node in kamailio.CSCFS:
        # Kamailio's Diameter module leaves pipes in /tmp; `ip netns exec` has given the process mounts of its own.
        private = ["sh", "-c", 'mount --bind "$0" /tmp && exec "$@"', str(bed.folder / "tmp")]
        options = ["-f", str(bed.folder / f"{node}.cfg"), "-Y", str(bed.folder), "-m", "256", "-M", "8", "-DD", "-E"]
        arguments = [*private, program, *options]
        process = bed.start(node, node, arguments)
        if node == "pcscf":
            cgroups.join(bed.name, process.pid)
    bed.await_("load", bed.socket("load").exists)
    peers = _PEERS if bed.network.rx else _PEERS - {f"pcscf.{REALM}"}
    bed.await_("CSCFs", lambda: peers <= set(control.ask(bed.socket("servers"), {"status": True})["peers"]))


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
    """Take a bed away, or every bed on this machine; leftovers of crashed ones included. Returns their names."""
    known = {*namespaces.beds(), *cgroups.beds(), *(path.name for path in (RUN.iterdir() if RUN.is_dir() else ()))}
    going = sorted(known if name is None else known & {name})
    for bed in going:
        namespaces.remove(bed)
        cgroups.remove(bed)
        shutil.rmtree(RUN / bed, ignore_errors=True)
    if RUN.is_dir() and not any(RUN.iterdir()):
        RUN.rmdir()
    return going


def sweep() -> list[str]:
    """Take away beds that a recording left when it was killed: tied ones whose owner no longer runs."""
    gone = []
    for folder in _folders():
        try:
            record = json.loads((folder / "bed.json").read_text())
        except (OSError, ValueError):
            continue
        if record["tied"] and not Path(f"/proc/{record['owner']}").exists():
            gone += down(folder.name)
    return gone


def status() -> list[dict[str, Any]]:
    """What is known of every bed: name, whether its owner still runs, processes, resident memory and CPU time."""
    return [describe(name) for name in sorted({*namespaces.beds(), *(p.name for p in _folders())})]


def _folders() -> list[Path]:
    return list(RUN.iterdir()) if RUN.is_dir() else []


def describe(name: str) -> dict[str, Any]:
    """One bed, from outside: its processes, their proportional memory (MB) and CPU time (s), its network and servers."""
    pids = [pid for node in NODES for pid in namespaces.pids(namespaces.namespace(name, node))]
    found: dict[str, Any] = {"name": name, "processes": len(pids), **usage(pids)}
    try:
        record: Mapping[str, Any] = json.loads((RUN / name / "bed.json").read_text())
        found["network"] = record["network"]["name"]
        found["owner"] = record["owner"]
        found["peers"] = sorted(control.ask(RUN / name / "servers.sock", {"status": True})["peers"])
    except (OSError, ValueError, KeyError):
        found["peers"] = []
    return found


def usage(pids: list[int]) -> dict[str, float]:
    """Proportional set size (MB) and CPU time (s) of processes; those that are gone count nothing."""
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


def stop(pids: list[int], halt: bool) -> None:
    """Halt or resume processes."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP if halt else signal.SIGCONT)
        except ProcessLookupError:
            continue
