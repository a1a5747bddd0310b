"""The probe process of a bed: it listens on live interfaces or to the P-CSCF's HEP feed.

Run as `python -m faultprint_lab.testbed.recording.listener SETTINGS.json` in the right namespace. On SIGINT or SIGTERM it writes
transactions and report and ends.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from faultprint.probe.capture.agents.access import HepAddress, HepOptions, parse_networks
from faultprint.probe.capture.agents.source import HepSource
from faultprint.probe.capture.agents.table import watched_names
from faultprint.probe.capture.interface_source import InterfaceSource
from faultprint.probe.capture.live import PacketSource, probe_live, watched_endpoints
from faultprint.probe.transactions.nodes import NodeSpec
from faultprint.tables import Interface
from faultprint_lab.testbed.topology.addresses import LINKS, subscriber


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Settings of the probe process.

    node, network       names for the transactions
    subscribers         number of handsets
    key                 pseudonymisation key in hexadecimal
    out                 file of transactions
    ready               file that is created when the probe listens
    report              file of the probe's counters
    interfaces or hep   what to listen to; hep is (address, port)
    """

    node: str
    network: str
    subscribers: int
    key: str
    out: str
    ready: str
    report: str
    interfaces: tuple[str, ...] = ()
    hep: tuple[str, int] | None = None

    def write(self, path: Path) -> None:
        """Write JSON for `read`."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> ListenerSettings:
        """Read the JSON file."""
        return cls(**json.loads(path.read_text()))


def listen(settings: ListenerSettings) -> None:
    """Listen until SIGINT or SIGTERM."""
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    sources: list[PacketSource] = [InterfaceSource(name) for name in settings.interfaces]
    addresses = tuple(LINKS[link]["pcscf"] for link in ("gm", "mw", "rx"))
    nodes = [NodeSpec(settings.node, addresses)]
    if settings.hep:
        # Only the namespaces of the test bed reach this address.
        options = HepOptions(agents=parse_networks(["0.0.0.0/0"]))
        watched = watched_names(watched_endpoints(nodes))
        sources.append(HepSource([HepAddress("udp", settings.hep[0], settings.hep[1])], watched, options))
    Path(settings.ready).touch()
    handsets = {subscriber(index): Interface.GM for index in range(settings.subscribers)}
    core = {LINKS["mw"][node]: Interface.MW for node in ("icscf", "scscf")}
    report = probe_live(
        sources,
        Path(settings.out),
        nodes=nodes,
        network=settings.network,
        key=bytes.fromhex(settings.key),
        stop=lambda: stopped,
        peers=handsets | core,
    )
    Path(settings.report).write_text(json.dumps(report.as_dict()))


if __name__ == "__main__":
    listen(ListenerSettings.read(Path(sys.argv[1])))
