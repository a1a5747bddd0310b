"""The live probe as a source: packets from interfaces and HEP agents become transactions and minutes.

At the end of a minute many transactions are open or wait for retransmissions. The probe gives them in their present state: the
start counts in the minute of the start, the outcome in the minute of completion, as in a batch run. The only difference to a
batch run: a retransmission later than `lateness_seconds` after the minute does not change the minute.

A minute is given when it is known of every node whether it was heard (`capture/hearing.py`): at once while its agents speak, and
at the latest when they have been silent for `silence_seconds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.coverage import CoverageInterval
from faultprint.monitor.base.interfaces import Batch, Clock, TransactionBatch
from faultprint.monitor.base.log import Log
from faultprint.monitor.config.settings import ProbeSettings
from faultprint.monitor.ingest.minute_builder import MinuteBuilder
from faultprint.probe.capture.agents.access import HepAddress, HepOptions, parse_networks, read_key
from faultprint.probe.capture.agents.source import HepSource
from faultprint.probe.capture.agents.table import AgentStatus, watched_names
from faultprint.probe.capture.interface_source import InterfaceSource
from faultprint.probe.capture.live import SILENCE_US, Listener, PacketSource, agents_of, watched_endpoints
from faultprint.probe.core import Probe
from faultprint.probe.privacy import key
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.storage import schema
from faultprint.tables import TRANSACTIONS, Interface
from faultprint.units import SECOND_US

_AT_ONCE: Final = 10_000
_MAX_TOLD: Final = 1024
_SCHEMA = schema(TRANSACTIONS)
_PLAIN = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in _SCHEMA.items()}


class _Turn(NamedTuple):
    """One turn of the loop, µs: the newly finished minutes from `begin_us` until `end_us`, and the time up to which the
    source is complete. `waits`: it waits for a silent agent."""

    coverage: list[CoverageInterval]
    begin_us: int
    end_us: int
    complete_us: int
    waits: bool


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
        silence_us: int = SILENCE_US,
        log: Log | None = None,
    ) -> None:
        """`silence_us`: an agent that was not heard for so long is silent. Raises UsageError."""
        self._silence_us, self._log = silence_us, log or _no_log
        self._told: dict[tuple[str, int], tuple[int | None, bool]] = {}
        self._unheard: frozenset[str] = frozenset()
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
        for turn in self._turns():
            minutes = None
            if turn.end_us > turn.begin_us:
                self._pieces.add(self._take())
                minutes = self._pieces.minutes(self._standing(), turn.coverage, turn.begin_us, turn.end_us)
                minutes = minutes.filter(pl.col("minute").dt.epoch("us") >= closed_us)
            yield Batch(minutes, turn.complete_us, waits=turn.waits)

    def transaction_batches(self) -> Iterator[TransactionBatch | None]:
        for turn in self._turns():
            if turn.end_us > turn.begin_us:
                yield TransactionBatch(self._take(), self._standing(), turn.coverage, turn.begin_us, turn.complete_us)
            else:
                yield None

    @property
    def agents(self) -> list[AgentStatus]:
        """The HEP agents that were heard."""
        return agents_of(self._sources)

    def _turns(self) -> Iterator[_Turn]:
        listener = Listener(self.probe, self._sources, self._nodes, self._clock.now_us, self._silence_us)
        begin_us = listener.since_us // self._interval_us * self._interval_us
        set_back = 0
        while True:
            listener.listen()
            if listener.set_back > set_back:
                set_back = listener.set_back
                begin_us = listener.since_us // self._interval_us * self._interval_us
                self._pieces = MinuteBuilder(self._interval_us)
                self._take()
            if len(self._rows) > _AT_ONCE:
                self._collect()
            complete_us = listener.hearing.decided_us
            end_us = max((complete_us - self._lateness_us) // self._interval_us * self._interval_us, begin_us)
            coverage = self._coverage(listener, end_us) if end_us > begin_us else []
            yield _Turn(coverage, begin_us, end_us, complete_us, complete_us < listener.complete_us)
            if end_us > begin_us:
                self._tell(listener)
            begin_us = end_us

    def close(self) -> None:
        for source in self._sources:
            source.close()

    def _coverage(self, listener: Listener, end_us: int) -> list[CoverageInterval]:
        listener.hearing.forget(end_us)
        return [
            CoverageInterval(heard.node, self._network, heard.start_us, heard.end_us)
            for heard in listener.hearing.intervals(end_us)
        ]

    def _tell(self, listener: Listener) -> None:
        """Log, at most once a minute, what has changed: clocks of agents, and nodes that are not heard."""
        for status in self.agents:
            key, seen = (status.address, status.agent), (status.offset_us, status.unbelieved > 0)
            before = self._told.get(key, (0, False))
            if seen[0] != before[0] and seen[0] is not None:
                self._log("agent_clock_offset", address=key[0], agent=key[1], seconds=seen[0] / SECOND_US)
            if seen[1] and not before[1]:
                self._log("agent_stamps_unbelieved", address=key[0], agent=key[1], messages=status.unbelieved)
            if len(self._told) < _MAX_TOLD or key in self._told:
                self._told[key] = seen
        unheard = frozenset(listener.hearing.unheard())
        for node in sorted(unheard - self._unheard):
            self._log("node_not_heard", node=node, seconds=self._silence_us / SECOND_US)
        for node in sorted(self._unheard - unheard):
            self._log("node_heard_again", node=node)
        self._unheard = unheard

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


def probe_source(
    settings: ProbeSettings, interval_us: int, lateness_us: int, clock: Clock, log: Log | None = None
) -> ProbeSource:
    """The probe of the settings, with its sockets open. Raises UsageError."""
    if not settings.interfaces and not settings.hep:
        raise UsageError("The probe has no input; set probe.interfaces or probe.hep in the configuration.")
    nodes = [NodeSpec.parse(node) for node in settings.nodes]
    if not nodes:
        raise UsageError("The probe has no nodes to watch; set probe.nodes in the configuration.")
    watched = watched_names(watched_endpoints(nodes))
    options = hep_options(settings)
    sources: list[PacketSource] = []
    try:
        sources += [InterfaceSource(name) for name in settings.interfaces]
        if settings.hep:
            addresses = [HepAddress.parse(address) for address in settings.hep]
            sources.append(HepSource(addresses, watched, options, clock.now_us))
        secret = key.load_or_create(settings.key_file or key.default_path())
        return ProbeSource(
            sources,
            nodes,
            settings.network,
            secret,
            interval_us,
            lateness_us,
            clock,
            parse_peers(settings),
            options.silence_us,
            log,
        )
    except BaseException:
        for source in sources:
            source.close()
        raise


def hep_options(settings: ProbeSettings) -> HepOptions:
    """How HEP is received. Raises UsageError."""
    return HepOptions(
        parse_networks(settings.hep_agents),
        None if settings.hep_key_file is None else read_key(settings.hep_key_file),
        int(settings.hep_clock_bound_seconds * SECOND_US),
        int(settings.silence_seconds * SECOND_US),
        settings.hep_certificate,
        settings.hep_certificate_key,
    )


def parse_peers(settings: ProbeSettings) -> dict[str, Interface]:
    """The reference points of peers by address. Raises UsageError for an unknown one."""
    for address, name in settings.peers.items():
        if name not in tuple(Interface):
            raise UsageError(f"probe.peers.{address} is {name!r}, which is none of {', '.join(Interface)}; correct it.")
    return {address: Interface(name) for address, name in settings.peers.items()}


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_PLAIN, orient="row").cast(_SCHEMA)  # type: ignore[arg-type]


def _no_log(event: str, /, **fields: Any) -> None:
    """For a source without a log."""
