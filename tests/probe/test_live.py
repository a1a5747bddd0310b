"""Listening: time goes on in a silence, by the clock that stamps the packets."""

from __future__ import annotations

import json
import socket
from collections import Counter
from pathlib import Path

import pytest
from captures import (
    KEY,
    MS,
    PCSCF,
    T0,
    UE,
    Packet,
    S,
    chunk,
    diameter,
    ethernet,
    pcap,
    probe,
    request,
    response,
    sctp,
    udp,
)

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.probe.capture import hep, sockets
from faultprint.probe.capture.agents import source as hep_source
from faultprint.probe.capture.agents.access import HepAddress
from faultprint.probe.capture.agents.source import HepSource
from faultprint.probe.capture.live import probe_live
from faultprint.probe.core import Probe
from faultprint.probe.transactions.nodes import NodeSpec, parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.probe.types import Packet as Timed
from faultprint.tables import COVERAGE_KEY, TRANSACTIONS

ASKED = ethernet(udp(UE, PCSCF, request("OPTIONS")))
ANSWERED = ethernet(udp(PCSCF, UE, response(200, request("OPTIONS"))))
AAR = ethernet(sctp(PCSCF, "10.0.3.1", chunk(1, diameter(265))))


def started() -> tuple[Probe, list[Row]]:
    rows: list[Row] = []
    return Probe({"pcscf": [parse_endpoint(PCSCF)]}, "lab", KEY, rows.append), rows


STATUS = TRANSACTIONS.names.index("status")
COMPLETION = TRANSACTIONS.names.index("completion")


def test_time_outs_close_without_a_packet() -> None:
    made, rows = started()
    made.advance(T0)
    assert made.now is None
    made.feed_all(
        (T0 + at, 1, data) for at, data in ((0, ASKED), (1, AAR), *((number, b"") for number in range(2, 10)))
    )
    for second in range(1, 80):
        made.advance(T0 + second * S)
        assert len(rows) == (second > 40) + (second >= 64)
    assert [row[STATUS] for row in rows] == [None, None]
    assert [row[COMPLETION] for row in rows] == [T0 + 10 * S + 1, T0 + 32 * S]
    assert made.sip.timed_out == made.diameter.timed_out == 1
    made.feed(T0 + 100 * S, 1, ASKED)
    made.finish()
    assert made.coverage == [(T0, T0 + 100 * S + 1)]


def test_what_was_on_its_way_is_still_taken() -> None:
    made, rows = started()
    made.feed_all((T0 + at, 1, data) for at, data in ((0, ASKED), *((number, b"") for number in range(2, 10))))
    made.advance(T0 + 5 * S)
    made.advance(T0 + 4 * S)
    made.feed(T0 + 3 * S, 1, ANSWERED)
    made.finish()
    assert [row[STATUS] for row in rows] == [200]
    assert [row[COMPLETION] for row in rows] == [T0 + 3 * S]
    assert not made.skipped["timestamp far from neighbouring packets"]


def test_a_silence_that_is_advanced_through_is_like_one_that_packets_end(tmp_path: Path) -> None:
    made, rows = started()
    packets: list[Packet] = [(T0 + number * MS, ASKED if number == 3 else b"") for number in range(10)]
    packets += [(T0 + 5 * 3600 * S + number * MS, ANSWERED) for number in range(10)]
    for at, data in packets[:10]:
        made.feed(at, 1, data)
    for second in range(1, 5 * 3600):
        made.advance(T0 + second * S)
    for at, data in packets[10:]:
        made.feed(at, 1, data)
    made.finish()
    wanted = probe(tmp_path, pcap(packets))
    assert [row[COMPLETION] for row in rows] == [T0 + 3 * MS + 32 * S]
    assert made.coverage == list(wanted.report.coverage)
    assert (wanted.report.timed_out, made.sip.timed_out) == (1, 1)


class Script:
    """A source of packets on a socket pair; the arrival clock moves ten seconds at each look."""

    def __init__(self, packets: list[Timed], looks: int) -> None:
        self._here, self._there = socket.socketpair()
        self._packets, self._looks = packets, looks
        self._there.send(b"x")
        self.complete_us = self.alive_us = T0

    def fileno(self) -> int:
        return self._here.fileno()

    def read(self, skipped: Counter[str]) -> list[Timed]:
        packets, self._packets = self._packets, []
        self.complete_us = self.alive_us
        return packets

    def drain(self, skipped: Counter[str]) -> list[Timed]:
        return []

    def speakers(self, node: str) -> list[tuple[int, int]]:
        return [(self.alive_us, self.alive_us)]

    def close(self) -> None:
        self._here.close()
        self._there.close()

    def clock(self) -> int:
        return self.alive_us

    def stop(self) -> bool:
        self._looks -= 1
        self.alive_us += 10 * S
        return self._looks < 0


@pytest.mark.parametrize("looks", [2, 6])
def test_the_listener_lets_time_go_on(tmp_path: Path, looks: int) -> None:
    source = Script([(T0 + number, 1, ASKED if number == 0 else b"") for number in range(9)], looks)
    out = tmp_path / "out.parquet"
    report = probe_live(
        [source],
        out,
        nodes=[NodeSpec("pcscf", (PCSCF,))],
        network="lab",
        key=KEY,
        stop=source.stop,
        clock=source.clock,
    )
    assert (report.timed_out, report.open) == ((1, 0) if looks == 6 else (0, 1))
    assert json.loads(storage.metadata(out)[COVERAGE_KEY]) == [["pcscf", "lab", T0, source.alive_us]]
    assert storage.read(out, TRANSACTIONS).height == report.transactions == 1


def test_an_address_in_use_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    class RecordedSocket(socket.socket):
        def __init__(self, *arguments: int) -> None:
            super().__init__(*arguments)
            opened.append(self)

    monkeypatch.setattr(sockets.socket, "socket", RecordedSocket)
    first = HepSource([HepAddress("udp", "127.0.0.1", 0)])
    try:
        with pytest.raises(UsageError, match="choose another address"):
            HepSource([HepAddress("udp", "127.0.0.1", first.ports[0])])
        assert [recorded.fileno() >= 0 for recorded in opened] == [True, False]
    finally:
        first.close()


def test_packets_that_the_kernel_dropped_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "RECEIVE_BUFFER", 4096)
    monkeypatch.setattr(hep_source, "MAX_PACKETS_PER_READ", 1)
    source = HepSource([HepAddress("udp", "127.0.0.1", 0)])
    skipped: Counter[str] = Counter()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
            for _ in range(100):
                agent.sendto(b"x" * 1000, ("127.0.0.1", source.ports[0]))
        while skipped[hep.NOT_HEP] + skipped[sockets.DROPPED] < 100:
            before = skipped.total()
            source.read(skipped)
            assert skipped.total() > before, skipped
    finally:
        source.close()
    assert skipped[hep.NOT_HEP] + skipped[sockets.DROPPED] == 100
    assert 0 < skipped[hep.NOT_HEP] < 20
