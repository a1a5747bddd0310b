"""What is recorded of a bed: the probe listens at the P-CSCF, live; packets are kept only if somebody asks for them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS
from faultprint_lab.testbed.recording.listener import ListenerSettings
from faultprint_lab.testbed.topology import packages
from faultprint_lab.testbed.topology.addresses import LINKS
from faultprint_lab.testbed.topology.bed import Bed

LISTENED: Final = ("gm", "mw", "rx")
HEP_PORT: Final = 9060
COLLECTOR: Final = f"{LINKS['dns']['servers']}:{HEP_PORT}"
"""Where a P-CSCF that was told to feeds HEP to: the bed's side link, which carries no SIP."""
_FILTER: Final = "udp port 5060 or (ip[6:2] & 0x1fff != 0) or tcp port 3868"
_PATIENCE: Final = 30.0


class Recording:
    """A listener in the P-CSCF's namespace; with `packets`, a capture of each of its interfaces beside it.

    With `hep`, a second listener takes the P-CSCF's HEP feed and no interface is heard.
    """

    def __init__(self, bed: Bed, *, node: str, key: bytes, packets: bool = False, hep: bool = False) -> None:
        self._bed, self._name = bed, "hep" if hep else "probe"
        self._captures = [bed.folder / f"{link}.pcap" for link in LISTENED] if packets else []
        self._settings = ListenerSettings(
            node=node,
            network=bed.network.name,
            subscribers=bed.network.subscribers,
            key=key.hex(),
            out=str(bed.folder / f"{self._name}.parquet"),
            ready=str(bed.folder / f"{self._name}.ready"),
            report=str(bed.folder / f"{self._name}.report.json"),
            interfaces=() if hep else LISTENED,
            hep=(LINKS["dns"]["servers"], HEP_PORT) if hep else None,
        )

    def start(self) -> None:
        """Begin to listen. Raises UsageError where that fails."""
        settings = self._bed.folder / f"{self._name}.json"
        self._settings.write(settings)
        where = "servers" if self._settings.hep else "pcscf"
        self._bed.start(
            self._name, where, [sys.executable, "-m", "faultprint_lab.testbed.recording.listener", str(settings)]
        )
        tcpdump = packages.program("tcpdump") or "tcpdump"
        for link, path in zip(LISTENED, self._captures, strict=bool(self._captures)):
            # Without --immediate-mode the last seconds would stay in the kernel's buffer.
            options = ["-i", link, "--immediate-mode", "-U", "-s", "0", "-B", "16384", "-Z", "root", "-w", str(path)]
            self._bed.start(f"tcpdump-{link}", "pcscf", [tcpdump, *options, _FILTER])
        self._bed.await_("listener", self._listens)

    def _listens(self) -> bool:
        return Path(self._settings.ready).exists() and all(
            path.exists() and path.stat().st_size for path in self._captures
        )

    def stop(self, out: Path, *, since: int, until: int) -> dict[str, Any]:
        """End the listening; write the transactions that began from `since` to `until` (µs) to `out`, and captures
        beside it; return the probe's counts.

        The probe hears more than what is written: who registered before `since` is a refresh after it.
        """
        for link, path in zip(LISTENED, self._captures, strict=bool(self._captures)):
            self._end(f"tcpdump-{link}")
            shutil.copy(path, out.parent)
        self._end(self._name)
        report = Path(self._settings.report)
        if not report.exists():
            raise UsageError(f"The test bed's {self._name} wrote no transactions ({self._bed.log(self._name)}).")
        begun = pl.col("start").dt.epoch("us")
        kept = storage.read(Path(self._settings.out), TRANSACTIONS).filter(begun >= since, begun < until)
        coverage = [[self._settings.node, self._settings.network, since, until]]
        storage.write(kept, TRANSACTIONS, out, {COVERAGE_KEY: json.dumps(coverage)})
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def _end(self, name: str) -> None:
        process = self._bed.processes.pop(name)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
