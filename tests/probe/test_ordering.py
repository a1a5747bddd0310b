"""Packets of one file out of order, holes in a file, and clocks that were not set."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from captures import MS, PCSCF, T0, UE, Packet, S, ethernet, pcap, probe, request, response, udp
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.cli import cli
from faultprint.probe.capture import ordering
from faultprint.probe.capture.ordering import HoleFinder, HoleKind, ordered_blocks

HOUR = 3600 * S


def exchange(number: int, at: int) -> list[Packet]:
    text = request("OPTIONS", via=[f"{UE}:5060;branch=z9hG4bKx{number}"], call=f"c{number}")
    return [(at, ethernet(udp(UE, PCSCF, text))), (at + MS, ethernet(udp(PCSCF, UE, response(200, text))))]


def traffic(start: int, seconds: int, first: int = 0) -> list[Packet]:
    return [packet for number in range(seconds) for packet in exchange(first + number, start + number * S)]


def test_a_response_that_is_written_before_its_request_is_paired(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(list(reversed(exchange(1, T0)))))
    assert got.column("status") == [200] and not got.report.skipped


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 400))
def test_any_order_within_the_look_ahead_gives_the_packets_by_time(seed: int, reach: int) -> None:
    shuffle = random.Random(seed)
    packets = [(number * MS, 1, b"%d" % number) for number in range(6000)]
    mixed = sorted(packets, key=lambda packet: packet[0] // MS + shuffle.uniform(0, reach))
    assert [packet for block, _ in ordered_blocks(iter(mixed)) for packet in block] == packets


def test_the_look_ahead_is_bounded_in_bytes_and_equal_times_keep_their_order() -> None:
    big = [(0, 1, bytes(1 << 16)) for _ in range(600)]
    blocks = [len(block) for block, _ in ordered_blocks(iter(big))]
    assert max(blocks) <= 2 * (ordering.LOOK_AHEAD_BYTES >> 16) + 2 * ordering.LOOK_AHEAD // 16
    same = [(5, 1, b"%d" % number) for number in range(5000)]
    assert [packet for block, _ in ordered_blocks(iter(same)) for packet in block] == same


def test_a_wrong_time_stays_where_it_is_and_holds_nothing_up(tmp_path: Path) -> None:
    packets = traffic(T0, 30)
    packets.insert(20, (T0 + 30 * 24 * HOUR, packets[0][1]))
    got = probe(tmp_path, pcap(packets))
    assert got.column("status") == [200] * 30
    assert got.report.skipped == {"timestamp far from neighbouring packets": 1}
    assert got.report.holes == ()


def arp(at: int) -> Packet:
    return at, bytes(12) + b"\x08\x06" + bytes(46)


@pytest.mark.parametrize(("seconds", "kinds"), [(130, ["silence"]), (800, ["silence"]), (1000, ["gap"]), (30, [])])
def test_an_outage_in_a_capture_does_not_vanish(tmp_path: Path, seconds: int, kinds: list[str]) -> None:
    """A capture that was filtered to SIP shows nothing during an outage, as one that was stopped would."""
    later = T0 + 600 * S + seconds * S
    got = probe(tmp_path, pcap([*traffic(T0, 600), *traffic(later, 600, 600)]))
    assert [kind for _, _, kind in got.report.holes] == kinds
    assert len(got.report.coverage) == 1 + kinds.count("gap")


def test_where_other_frames_stop_too_the_capture_was_stopped(tmp_path: Path) -> None:
    before = sorted([*traffic(T0, 600), *(arp(T0 + number * 20 * S) for number in range(30))])
    later = T0 + 700 * S
    got = probe(tmp_path, pcap([*before, *traffic(later, 600, 600), arp(later + S)]))
    assert [kind for _, _, kind in got.report.holes] == ["gap"] and len(got.report.coverage) == 2


def test_packets_that_are_too_late_are_reported(tmp_path: Path) -> None:
    assert probe(tmp_path, pcap(traffic(T0, 600))).report.late == (0, 0)
    busy = [(T0 + number * 5 * MS, ethernet(udp(UE, PCSCF, b"x"))) for number in range(9000)]
    busy.insert(8000, busy.pop(100))
    got = probe(tmp_path, pcap(busy))
    assert got.report.late[0] == 1 and 30 * S < got.report.late[1] < 45 * S
    assert got.report.as_dict()["late_packets"] == 1


@pytest.mark.parametrize(("hours", "holes"), [(8, 1), (100, 1), (0.01, 0)])
def test_a_hole_that_traffic_does_not_explain_is_a_gap(tmp_path: Path, hours: float, holes: int) -> None:
    later = T0 + 600 * S + int(hours * HOUR)
    got = probe(tmp_path, pcap([*traffic(T0, 600), *traffic(later, 600, 600)]))
    assert got.column("status") == [200] * 1200
    assert len(got.report.holes) == holes and len(got.report.coverage) == 1 + holes
    if holes:
        assert got.report.holes == ((T0 + 599 * S + MS, later, "gap"),)
        assert got.report.coverage[1][0] == later


def test_a_quiet_node_has_pauses_and_no_holes(tmp_path: Path) -> None:
    packets = [packet for number in range(40) for packet in exchange(number, T0 + number * 300 * S)]
    got = probe(tmp_path, pcap(packets))
    assert got.report.holes == () and len(got.report.coverage) == 1


def test_traffic_in_bursts_has_no_holes(tmp_path: Path) -> None:
    """Bursts of half a minute, as attacks come, with pauses of minutes; and longer bursts with equal pauses."""
    short = [packet for burst in range(10) for packet in traffic(T0 + burst * 600 * S, 30, burst * 30)]
    assert probe(tmp_path, pcap(short)).report.holes == ()
    long = [packet for burst in range(4) for packet in traffic(T0 + burst * 1000 * S, 400, burst * 400)]
    assert len(probe(tmp_path, pcap(long)).report.holes) == 1


def test_two_packets_after_the_hole_are_enough_and_one_with_a_wrong_time_is_not() -> None:
    def holes(packets: list[tuple[int, int, bytes]]) -> list[tuple[int, int, str]]:
        finder = HoleFinder(HoleKind.GAP)
        for block, following in ordered_blocks(iter(packets)):
            assert [packet for part in finder.divide(block, following) for packet in part] == block
        return finder.holes

    busy = [(number * 100 * MS, 1, b"") for number in range(5000)]
    end = busy[-1][0]
    assert holes([*busy, (end + HOUR, 1, b""), (end + HOUR + S, 1, b"")]) == [(end, end + HOUR, "gap")]
    assert holes([*busy[:2500], (end + HOUR, 1, b""), *busy[2500:]]) == []
    assert holes([*busy[:1024], (end + HOUR, 1, b""), *busy[1024:]]) == []


def test_holes_can_be_taken_for_silence_and_are_told(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(pcap([*traffic(T0, 600), *traffic(T0 + 3 * HOUR, 10, 600)]))
    words = ["probe", str(capture), "--node", f"p={PCSCF}", "--key-file", str(tmp_path / "key"), "--json", "--out"]
    for option, intervals in (((), 2), (("--holes", "silence"), 1)):
        result = CliRunner().invoke(cli, [*words, str(tmp_path / "t.parquet"), *option])
        report = json.loads(result.stdout)
        assert len(report["coverage"]) == intervals and len(report["holes"]) == 1
        assert "no packet at all from" in result.stderr and "--holes" in result.stderr


def test_a_clock_that_starts_in_1970_is_read_and_told(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(traffic(30 * S, 60)))
    assert got.column("status") == [200] * 60 and got.report.relative_times
    set_later = pcap([*traffic(30 * S, 60), *traffic(T0, 60, 60)])
    got = probe(tmp_path, set_later)
    assert got.column("status") == [200] * 120
    assert [since for since, _ in got.report.coverage] == [30 * S, T0]
