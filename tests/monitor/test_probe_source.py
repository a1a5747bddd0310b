"""The live probe as a source: its minutes equal those that the batch makes of the same packets."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from random import Random

import polars as pl
import pytest

from faultprint.errors import UsageError
from faultprint.features.coverage import CoverageInterval
from faultprint.features.minutes import compute_minutes
from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.config.settings import ProbeSettings
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.ingest.probe import ProbeSource, probe_source
from faultprint.probe.core import Probe
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.probe.types import Packet
from faultprint.storage import schema
from faultprint.tables import TRANSACTIONS

from ..probe.captures import KEY, PCSCF, UE, ethernet, request, response, udp

SECOND, MINUTE = 1_000_000, 60_000_000
BEGIN = 1_767_600_000 * SECOND
NODE = NodeSpec("pcscf", (PCSCF,))


class Recorded:
    """A source of packets that are there already, some at a time. The arrival clock goes on with them."""

    def __init__(self, packets: list[Packet], at_once: int, clock: ReplayClock) -> None:
        self._packets, self._at_once, self._clock = packets, at_once, clock
        self.complete_us = self.alive_us = clock.time_us
        self._here, self._there = socket.socketpair()
        self._there.send(b"packets wait")

    def fileno(self) -> int:
        return self._here.fileno()

    def read(self, skipped: Counter[str]) -> list[Packet]:
        found, self._packets = self._packets[: self._at_once], self._packets[self._at_once :]
        if found:
            self._clock.time_us = found[-1][0]
        self.complete_us = self.alive_us = self._clock.time_us
        return found

    def drain(self, skipped: Counter[str]) -> list[Packet]:
        return self.read(skipped)

    def speakers(self, node: str) -> list[tuple[int, int]]:
        return [(self.alive_us, self.alive_us)]

    def close(self) -> None:
        self._here.close()
        self._there.close()


def talk(seed: int, exchanges: int, span_us: int) -> list[Packet]:
    """Requests at random times, answered after up to a minute and a half, some sent twice, some never answered."""
    random, packets = Random(seed), []
    for number in range(exchanges):
        at = BEGIN + random.randrange(span_us)
        method = random.choice(["OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE"])
        asked = request(method, via=(f"10.8.0.1:5060;branch=z9hG4bK{number}",), call=f"call-{number}")
        packets.append((at, 1, ethernet(udp(UE, PCSCF, asked))))
        if random.random() < 0.2:
            packets.append((at + SECOND // 2, 1, ethernet(udp(UE, PCSCF, asked))))
        if random.random() < 0.8:
            delay = random.choice([20_000, 3 * SECOND, 30 * SECOND])
            answer = response(random.choice([200, 401, 503]), asked)
            packets.append((at + delay, 1, ethernet(udp(PCSCF, UE, answer))))
    # Somebody speaks until the end, so that time goes on.
    packets += [(BEGIN + at, 1, ethernet(udp(UE, PCSCF, b"\r\n\r\n"))) for at in range(0, span_us + 3 * MINUTE, SECOND)]
    return sorted(packets, key=lambda packet: packet[0])


def batch(packets: list[Packet], until_us: int) -> pl.DataFrame:
    rows: list[Row] = []
    probe = Probe({"pcscf": [parse_endpoint(PCSCF)]}, "lab", KEY, rows.append)
    probe.feed_all(packets)
    probe.finish()
    plain = {name: pl.Int64() if isinstance(kind, pl.Datetime) else kind for name, kind in schema(TRANSACTIONS).items()}
    table = pl.DataFrame(rows, schema=plain, orient="row").cast(schema(TRANSACTIONS))
    return compute_minutes(table.lazy(), [CoverageInterval("pcscf", "lab", BEGIN, until_us)])


@pytest.mark.parametrize("at_once", [7, 1000])
def test_live_minutes_equal_the_batch(at_once: int) -> None:
    packets = talk(1, 400, 5 * MINUTE)
    clock = ReplayClock()
    clock.time_us = BEGIN
    source = ProbeSource([Recorded(packets, at_once, clock)], [NODE], "lab", KEY, MINUTE, SECOND, clock)
    found = taken(source.batches(0), 7)
    source.close()
    assert found.equals(batch(packets, BEGIN + 7 * MINUTE))
    assert found["node.open"].sum() > 0 and found["in.register_initial.attempts"].sum() > 0


def taken(batches: Iterator[Batch], number: int) -> pl.DataFrame:
    """The first so many minutes."""
    parts: list[pl.DataFrame] = []
    complete = 0
    for batch in batches:
        assert batch.watermark_us is not None and batch.watermark_us >= complete
        complete = batch.watermark_us
        if batch.minutes is not None:
            parts.append(batch.minutes)
        if sum(map(len, parts)) >= number:
            break
    return pl.concat(parts)[:number]


def test_a_node_that_nobody_speaks_to_has_minutes_without_traffic() -> None:
    clock = ReplayClock()
    clock.time_us = BEGIN
    source = ProbeSource([Recorded([], 1, clock)], [NODE], "lab", KEY, MINUTE, SECOND, clock)
    batches = source.batches(0)
    assert next(batches).minutes is None
    clock.time_us = BEGIN + 2 * MINUTE + 2 * SECOND
    found = next(batches).minutes
    assert found is not None
    assert found["observed"].to_list() == [1.0, 1.0] and found["node"].to_list() == ["pcscf"] * 2
    source.close()


@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        (ProbeSettings(), "The probe has no input"),
        (ProbeSettings(hep=("127.0.0.1:0",), nodes=("p=10.0.0.1",)), "no HOST:PORT"),
        (ProbeSettings(hep=("127.0.0.1:9",)), "no nodes to watch"),
        (ProbeSettings(hep=("127.0.0.1:9",), nodes=("p",)), "has no address"),
        (ProbeSettings(interfaces=("none0",), nodes=("p=10.0.0.1",)), "none0"),
    ],
)
def test_what_cannot_be_heard_stops_the_start(probe: ProbeSettings, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        probe_source(probe, MINUTE, SECOND, ReplayClock())
