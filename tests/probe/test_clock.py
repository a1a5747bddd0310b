"""Time stamps that make no sense are counted and move nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import MS, PCSCF, T0, UE, Packet, S, ethernet, pcap, probe, request, response, udp
from hypothesis import given
from hypothesis import strategies as st

TEXT = request("OPTIONS")
DAY = 86_400 * S
ASKED = ethernet(udp(UE, PCSCF, TEXT))
ANSWERED = ethernet(udp(PCSCF, UE, response(200, TEXT)))
NOISE = ethernet(udp("192.0.2.1", "192.0.2.2", request("MESSAGE", call="noise")))


def quiet(start: int, count: int = 10) -> list[Packet]:
    return [(start + number * MS, ethernet(udp("192.0.2.1", "192.0.2.2", b"x"))) for number in range(count)]


STRAYS = {
    "1970": (0, "timestamp far from neighbouring packets"),
    "2105": (4_260_000_000 * S, "timestamp before 1970 or after 2100"),
    "a week ahead": (T0 + 7 * DAY, "timestamp far from neighbouring packets"),
    "two hours ahead": (T0 + DAY // 12, "timestamp far from neighbouring packets"),
    "an hour back": (T0 - DAY // 24, "timestamp far from neighbouring packets"),
}


@pytest.mark.parametrize("name", STRAYS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_strays_are_counted_and_close_nothing(tmp_path: Path, name: str, count: int) -> None:
    when, reason = STRAYS[name]
    packets = [
        *quiet(T0),
        (T0 + 20 * MS, ASKED),
        *[(when, NOISE)] * count,
        (T0 + 30 * MS, ANSWERED),
        *quiet(T0 + 40 * MS),
    ]
    got = probe(tmp_path, pcap(packets))
    assert got.column("status") == [200]
    assert got.report.skipped[reason] == count
    assert got.report.messages == 2 + count  # a message without a time is a message still
    assert got.report.timed_out == 0
    assert got.report.coverage == ((T0, T0 + 49 * MS + 1),)


def test_a_stray_at_the_very_start_and_the_very_end(tmp_path: Path) -> None:
    packets = [(T0 - 300 * DAY, NOISE), (T0, ASKED), (T0 + MS, ANSWERED), *quiet(T0 + 2 * MS), (T0 + 300 * DAY, NOISE)]
    got = probe(tmp_path, pcap(packets))
    assert got.column("status") == [200]
    assert got.report.coverage == ((T0, T0 + 11 * MS + 1),)


def test_a_long_silence_is_time_without_traffic(tmp_path: Path) -> None:
    packets = [*quiet(T0), (T0 + S, ASKED), *quiet(T0 + 5 * 3600 * S)]
    got = probe(tmp_path, pcap(packets))
    assert (got.report.timed_out, got.report.open) == (1, 0)
    assert got.report.coverage == ((T0, T0 + 5 * 3600 * S + 9 * MS + 1),)


def test_a_clock_that_is_put_back_begins_a_new_stretch(tmp_path: Path) -> None:
    packets = [
        *quiet(T0),
        (T0 + 20 * MS, ASKED),
        *quiet(T0 - 3600 * S),
        (T0 - 3599 * S, ASKED),
        (T0 - 3599 * S + MS, ANSWERED),
    ]
    got = probe(tmp_path, pcap(packets))
    assert got.column("status") == [200, None]
    assert (got.report.open, got.report.timed_out) == (1, 0)
    assert len(got.report.coverage) == 2


def test_a_little_disorder_is_normal(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap([*quiet(T0), (T0 + 5 * S, ASKED), (T0 + 3 * S, NOISE), (T0 + 5 * S + 1, ANSWERED)]))
    assert got.column("status") == [200]
    assert "timestamp far from neighbouring packets" not in got.report.skipped


def test_few_packets_are_enough(tmp_path: Path) -> None:
    assert probe(tmp_path, pcap([(T0, ASKED)])).report.coverage == ((T0, T0 + 1),)
    assert probe(tmp_path, pcap([(T0, ASKED), (T0 + 3 * 3600 * S, ASKED)])).report.timed_out == 1
    nowhere = probe(tmp_path, pcap([(4_260_000_000 * S, ASKED)]))
    assert (nowhere.report.coverage, nowhere.report.messages, nowhere.report.transactions) == ((), 1, 0)


@given(st.lists(st.integers(0, 2**32 * S - 1), max_size=40))
def test_no_time_stamps_stop_the_probe(tmp_path_factory: pytest.TempPathFactory, times: list[int]) -> None:
    packets = [(T0, ASKED), *((time, ASKED) for time in times)]
    got = probe(tmp_path_factory.getbasetemp(), pcap(packets))
    assert got.report.messages == len(packets)
    assert all(start < end for start, end in got.report.coverage)
