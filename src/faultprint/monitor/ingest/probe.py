"""The live probe as a source: packets from interfaces and HEP agents become transactions and minutes.

At the end of a minute many transactions are open or wait for retransmissions. The probe gives them in their present state: the
start counts in the minute of the start, the outcome in the minute of completion, as in a batch run. The only difference to a
batch run: a retransmission later than `lateness_seconds` after the minute does not change the minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.coverage import CoverageInterval
from faultprint.monitor.base.interfaces import Batch, Clock, TransactionBatch
from faultprint.monitor.config.settings import ProbeSettings
from faultprint.monitor.ingest.minute_builder import MinuteBuilder
from faultprint.probe.capture.live import HepSource, InterfaceSource, Listener, PacketSource, watched_endpoints
from faultprint.probe.core import Probe
from faultprint.probe.privacy import key
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.storage import schema
from faultprint.tables import TRANSACTIONS, Interface

_AT_ONCE: Final = 10_000
_SCHEMA = schema(TRANSACTIONS)
_PLAIN = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in _SCHEMA.items()}


class ProbeSource:
    """Captures until `close`. All nodes count as monitored from the first batch on, with or without traffic."""

    name = "probe"

    def __init__(
        self,
        sources: Sequence[PacketSource],
        nodes: Sequence[NodeSpec],
        network: str,
        secret: bytes,
        interval_us: int,
        lateness_us: int,
        clock: Clock,
        peers: Mapping[str, Interface] | None = None,
    ) -> None:
        """Raises UsageError."""
        self._sources, self._clock = tuple(sources), clock
        self._interval_us, self._lateness_us = interval_us, lateness_us
        self._network = network
        found = watched_endpoints(nodes)
        self._nodes = tuple(found)
        self._rows: list[Row] = []
        given = {parse_endpoint(address): interface for address, interface in (peers or {}).items()}
        self.probe = Probe(found, network, secret, self._rows.append, given)
        self._over = pl.DataFrame(schema=_SCHEMA)
        self._pieces = MinuteBuilder(interval_us)

    def batches(self, closed_us: int) -> Iterator[Batch]:
        for since_us, begin_us, end_us, now_us in self._turns():
            minutes = None
            if end_us > begin_us:
                self._pieces.add(self._take())
                minutes = self._pieces.minutes(self._standing(), self._coverage(since_us, end_us), begin_us, end_us)
                minutes = minutes.filter(pl.col("minute").dt.epoch("us") >= closed_us)
            yield Batch(minutes, now_us)

    def transaction_batches(self) -> Iterator[TransactionBatch | None]:
        for since_us, begin_us, end_us, now_us in self._turns():
            if end_us > begin_us:
                yield TransactionBatch(
                    self._take(), self._standing(), self._coverage(since_us, end_us), begin_us, now_us
                )
            else:
                yield None

    def _turns(self) -> Iterator[tuple[int, int, int, int]]:
        """For each turn, µs: start of capture, start and end of the newly finished minutes, and the watermark."""
        since_us = self._clock.now_us()
        listener = Listener(self.probe, self._sources)
        begin_us = since_us // self._interval_us * self._interval_us
        while True:
            listener.listen()
            if len(self._rows) > _AT_ONCE:
                self._collect()
            now_us = self.probe.now
            if now_us is None:
                # No packet has arrived yet, so use the clock of the machine.
                now_us = self._clock.now_us() - self._lateness_us
            end_us = max((now_us - self._lateness_us) // self._interval_us * self._interval_us, begin_us)
            yield since_us, begin_us, end_us, now_us
            begin_us = end_us

    def close(self) -> None:
        for source in self._sources:
            source.close()

    def _coverage(self, since_us: int, end_us: int) -> list[CoverageInterval]:
        return [CoverageInterval(node, self._network, since_us, end_us) for node in self._nodes]

    def _standing(self) -> pl.DataFrame:
        """The open transactions of the probe, in their present state."""
        return _frame(list(self.probe.pending()))

    def _take(self) -> pl.DataFrame:
        """The final transactions since the last call."""
        self._collect()
        over, self._over = self._over, self._over.clear()
        return over

    def _collect(self) -> None:
        """Move finished rows into the table, where they need far less memory."""
        self._over = pl.concat([self._over, _frame(self._rows)])
        self._rows.clear()


def probe_source(settings: ProbeSettings, interval_us: int, lateness_us: int, clock: Clock) -> ProbeSource:
    """The probe of the settings, with its sockets open. Raises UsageError."""
    if not settings.interfaces and not settings.hep:
        raise UsageError("The probe has no input; set probe.interfaces or probe.hep in the configuration.")
    nodes = [NodeSpec.parse(node) for node in settings.nodes]
    if not nodes:
        raise UsageError("The probe has no nodes to watch; set probe.nodes in the configuration.")
    watched_endpoints(nodes)
    sources: list[PacketSource] = []
    try:
        sources += [InterfaceSource(name) for name in settings.interfaces]
        sources += [HepSource.from_address(address) for address in settings.hep]
        secret = key.load_or_create(settings.key_file or key.default_path())
        return ProbeSource(
            sources, nodes, settings.network, secret, interval_us, lateness_us, clock, parse_peers(settings)
        )
    except BaseException:
        for source in sources:
            source.close()
        raise


def parse_peers(settings: ProbeSettings) -> dict[str, Interface]:
    """The reference points of peers by address. Raises UsageError for an unknown one."""
    for address, name in settings.peers.items():
        if name not in tuple(Interface):
            raise UsageError(f"probe.peers.{address} is {name!r}, which is none of {', '.join(Interface)}; correct it.")
    return {address: Interface(name) for address, name in settings.peers.items()}


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_PLAIN, orient="row").cast(_SCHEMA)  # type: ignore[arg-type]
