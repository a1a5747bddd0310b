"""Record a bed: the live probe at the P-CSCF writes transactions; packet captures are optional."""

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

RECORDED_LINKS: Final = ("gm", "mw", "rx")
HEP_PORT: Final = 9060
COLLECTOR: Final = f"{LINKS['dns']['servers']}:{HEP_PORT}"
"""Address of the HEP collector: on the dns link, which carries no SIP."""
_FILTER: Final = "udp port 5060 or (ip[6:2] & 0x1fff != 0) or tcp port 3868"
_STOP_TIMEOUT_S: Final = 30.0


class Recording:
    """One recording by a probe process.

    By default the probe listens on the interfaces of the P-CSCF; with `packets`, tcpdump also captures each of them. With
    `hep` the probe receives the HEP feed of the P-CSCF instead.
    """

    def __init__(self, bed: Bed, *, node: str, key: bytes, packets: bool = False, hep: bool = False) -> None:
        self._bed, self._name = bed, "hep" if hep else "probe"
        self._captures = [bed.folder / f"{link}.pcap" for link in RECORDED_LINKS] if packets else []
        self._settings = ListenerSettings(
            node=node,
            network=bed.network.name,
            subscribers=bed.network.subscribers,
            key=key.hex(),
            out=str(bed.folder / f"{self._name}.parquet"),
            ready=str(bed.folder / f"{self._name}.ready"),
            report=str(bed.folder / f"{self._name}.report.json"),
            interfaces=() if hep else RECORDED_LINKS,
            hep=(LINKS["dns"]["servers"], HEP_PORT) if hep else None,
        )

    def start(self) -> None:
        """Start the probe. Raises UsageError if it does not start."""
        settings = self._bed.folder / f"{self._name}.json"
        self._settings.write(settings)
        node = "servers" if self._settings.hep else "pcscf"
        self._bed.start(
            self._name, node, [sys.executable, "-m", "faultprint_lab.testbed.recording.listener", str(settings)]
        )
        tcpdump = packages.program("tcpdump") or "tcpdump"
        for link, path in zip(RECORDED_LINKS, self._captures, strict=bool(self._captures)):
            # Without --immediate-mode the last seconds would stay in the buffer of the kernel.
            options = ["-i", link, "--immediate-mode", "-U", "-s", "0", "-B", "16384", "-Z", "root", "-w", str(path)]
            self._bed.start(f"tcpdump-{link}", "pcscf", [tcpdump, *options, _FILTER])
        self._bed.wait_for("listener", self._is_listening)

    def _is_listening(self) -> bool:
        return Path(self._settings.ready).exists() and all(
            path.exists() and path.stat().st_size for path in self._captures
        )

    def stop(self, out: Path, *, since: int, until: int) -> dict[str, Any]:
        """Stop the probe and write the transactions that start from `since` to `until` (µs) to `out`.

        Captures go to the same folder. Returns the counters of the probe. The probe also sees earlier traffic, so it knows
        the registrations before `since`.
        """
        for link, path in zip(RECORDED_LINKS, self._captures, strict=bool(self._captures)):
            self._stop_process(f"tcpdump-{link}")
            shutil.copy(path, out.parent)
        self._stop_process(self._name)
        report = Path(self._settings.report)
        if not report.exists():
            raise UsageError(f"The test bed's {self._name} wrote no transactions ({self._bed.log(self._name)}).")
        start_us = pl.col("start").dt.epoch("us")
        kept = storage.read(Path(self._settings.out), TRANSACTIONS).filter(start_us >= since, start_us < until)
        coverage = [[self._settings.node, self._settings.network, since, until]]
        storage.write(kept, TRANSACTIONS, out, {COVERAGE_KEY: json.dumps(coverage)})
        counters: dict[str, Any] = json.loads(report.read_text())
        return counters

    def _stop_process(self, name: str) -> None:
        process = self._bed.processes.pop(name)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
