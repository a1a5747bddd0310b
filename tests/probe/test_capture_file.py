"""File formats: what can be read, and the one sentence for what cannot."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from captures import KEY, PCSCF, T0, UE, block, enhanced, ethernet, frames, pcap, probe, request, response, section, udp
from hypothesis import given
from hypothesis import strategies as st

from faultprint.errors import CaptureError, UsageError
from faultprint.probe.capture.capture_file import read_packets
from faultprint.probe.capture.run import NodeSpec, probe_captures

OPTIONS = request("OPTIONS")
PACKETS = frames([(123_456, UE, PCSCF, OPTIONS), (124_456, PCSCF, UE, response(200, OPTIONS))])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_pcap(tmp_path: Path, order: str, nanoseconds: bool, zipped: bool) -> None:
    got = probe(tmp_path, pcap(PACKETS, order=order, nanoseconds=nanoseconds), zipped=zipped)
    assert got.report.coverage == ((T0 + 123_456, T0 + 124_457),)
    assert got.column("status") == [200]


@pytest.mark.parametrize(("order", "other"), [("<", ">"), (">", "<")])
def test_pcapng_with_sections_interfaces_and_resolutions(tmp_path: Path, order: str, other: str) -> None:
    (first, one), (second, two) = PACKETS
    binary = 0x80 | 20  # 2⁻²⁰ s
    data = section(order, [(1, 6), (1, 9)]) + block(order, 5, bytes(12)) + enhanced(order, 1, first * 1000, one)
    data += section(other, [(101, 3), (1, binary)]) + enhanced(other, 1, second * (1 << 20) // 1_000_000, two)
    (tmp_path / "a").write_bytes(data)
    times = [timestamp for timestamp, _, _ in read_packets(tmp_path / "a")]
    assert times[0] == first
    assert abs(times[1] - second) <= 1
    assert [link for _, link, _ in read_packets(tmp_path / "a")] == [1, 1]
    assert probe(tmp_path, data).column("status") == [200]


def test_pcapng_time_offset_old_and_simple_blocks(tmp_path: Path) -> None:
    options = struct.pack("<HHqHH", 14, 8, 1000, 0, 0)
    data = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block("<", 1, struct.pack("<HHI", 1, 0, 4) + options)
    data += block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 5_000_000, 6, 6) + b"abcdef")
    data += block("<", 3, struct.pack("<I", 6) + b"abcd")
    (tmp_path / "a").write_bytes(data)
    assert list(read_packets(tmp_path / "a")) == [(1_005_000_000, 1, b"abcdef"), (1_005_000_000, 1, b"abcd")]


BAD = {
    "empty": (b"", "is empty"),
    "text": (b"hello, I am no capture at all", "is no capture"),
    "short header": (pcap([])[:12], "is damaged"),
    "cut in the first packet": (pcap(PACKETS[:1])[:-10], "no whole packet before"),
    "cut in the first packet header": (pcap([]) + bytes(7), "no whole packet before"),
    "absurd length": (pcap([]) + struct.pack("<IIII", 1, 1, 1 << 30, 1 << 30) + bytes(50), "claims 1073741824 bytes"),
    "no packet": (pcap([]), "holds no packet"),
    "cut pcapng": ((section("<", [(1, 6)]) + enhanced("<", 0, T0, bytes(60)))[:-20], "no whole packet before"),
    "snoop": (b"snoop\0\0\0" + bytes(40), "editcap -F pcapng bad.pcap new.pcapng"),
    "Network Monitor": (b"GMBU" + bytes(40), "a capture of Network Monitor"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(40), "unpack it first with `zstd -d bad.pcap"),
    "pcapng without interface": (section("<", []) + enhanced("<", 0, T0, bytes(60)), "names interface 0"),
    "bad block length": (section("<", [(1, 6)]) + struct.pack("<II", 6, 13) + bytes(20), "claims 13 bytes"),
    "bad byte order": (struct.pack("<IIIIII", 0x0A0D0D0A, 28, 7, 0, 0, 0), "byte-order mark"),
    "cut gzip": (gzip.compress(pcap(PACKETS))[:-30], "ends inside its gzip data"),
    "no gzip": (b"\x1f\x8b" + bytes(40), "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gives_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    path, out = tmp_path / "bad.pcap", tmp_path / "out.parquet"
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        probe_captures([path], out, nodes=[NodeSpec("n", (PCSCF,))], network="lab", key=KEY)
    text = str(caught.value)
    assert reason in text
    assert str(path) in text
    assert "\n" not in text
    assert text.endswith(".")
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.pcap"]


def test_a_missing_file_and_a_missing_folder(tmp_path: Path) -> None:
    nodes = [NodeSpec("n", (PCSCF,))]
    with pytest.raises(CaptureError, match="cannot be read"):
        probe_captures([tmp_path / "none"], tmp_path / "out", nodes=nodes, network="lab", key=KEY)
    (tmp_path / "a").write_bytes(pcap(PACKETS))
    with pytest.raises(UsageError, match="does not exist"):
        probe_captures([tmp_path / "a"], tmp_path / "no" / "out", nodes=nodes, network="lab", key=KEY)
    with pytest.raises(UsageError, match="No capture"):
        probe_captures([], tmp_path / "out", nodes=nodes, network="lab", key=KEY)
    with pytest.raises(UsageError, match="No node"):
        probe_captures([tmp_path / "a"], tmp_path / "out", nodes=[], network="lab", key=KEY)
    with pytest.raises(UsageError, match="key has 3 bytes"):
        probe_captures([tmp_path / "a"], tmp_path / "out", nodes=nodes, network="lab", key=b"abc")


def test_what_was_there_stays_when_a_run_fails(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_bytes(b"before")
    (tmp_path / "bad").write_bytes(pcap(PACKETS) + b"\xff" * 40)
    with pytest.raises(CaptureError):
        probe_captures([tmp_path / "bad"], out, nodes=[NodeSpec("n", (PCSCF,))], network="lab", key=KEY)
    assert out.read_bytes() == b"before"


@pytest.mark.parametrize("cut", [1, 10, 70])
def test_a_capture_that_ends_inside_a_packet_is_read_up_to_there(tmp_path: Path, cut: int) -> None:
    one = request("OPTIONS")
    packets = frames([(0, UE, PCSCF, one), (1000, PCSCF, UE, response(200, one)), (2000, UE, PCSCF, one)])
    whole, last = pcap(packets[:2]), pcap(packets)
    got = probe(tmp_path, last[: len(whole) + (len(last) - len(whole)) * cut // 100])
    assert got.column("status") == [200] and got.report.coverage == ((T0, T0 + 1001),)
    assert len(got.report.cut) == 1


def test_captures_are_merged_by_time_and_gaps_are_kept(tmp_path: Path) -> None:
    one, two = request("OPTIONS"), request("OPTIONS", via=["h;branch=z9hG4bK2"])
    rotated = [pcap(frames([(0, UE, PCSCF, one)])), pcap(frames([(2_000_000, PCSCF, UE, response(200, one))]))]
    later = pcap(frames([(60_000_000, UE, PCSCF, two), (61_000_000, PCSCF, UE, response(200, two))]))
    got = probe(tmp_path, later, *rotated)
    assert got.report.coverage == ((T0, T0 + 2_000_001), (T0 + 60_000_000, T0 + 61_000_001))
    assert got.column("status") == [200, 200]
    legs = probe(
        tmp_path,
        pcap(frames([(0, UE, PCSCF, one)])),
        pcap(frames([(-5, UE, PCSCF, b"x"), (5, PCSCF, UE, response(200, one))])),
    )
    assert legs.column("status") == [200]
    assert len(legs.report.coverage) == 1


def test_a_gap_between_captures_leaves_transactions_open(tmp_path: Path) -> None:
    text = request("OPTIONS")
    got = probe(
        tmp_path, pcap(frames([(0, UE, PCSCF, text)])), pcap(frames([(20_000_000, PCSCF, UE, response(200, text))]))
    )
    assert got.column("completion") == [None]
    assert got.report.skipped == {"response without its request": 1}
    assert got.metadata["faultprint.coverage"] == (
        f'[["pcscf", "lab", {T0}, {T0 + 1}], ["pcscf", "lab", {T0 + 20_000_000}, {T0 + 20_000_001}]]'
    )


def test_progress_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap(PACKETS * 2000))
    calls: list[tuple[int, int]] = []
    probe_captures(
        [path],
        tmp_path / "o",
        nodes=[NodeSpec("n", (PCSCF,))],
        network="l",
        key=KEY,
        progress=lambda *done: calls.append(done),
    )
    assert calls[-1] == (path.stat().st_size,) * 2
    assert calls == sorted(calls)
    assert len(calls) > 2


VALID = pcap(PACKETS)
VALID_NG = section("<", [(1, 6)]) + b"".join(enhanced("<", 0, at, data) for at, data in PACKETS)


@given(
    st.sampled_from([VALID, VALID_NG]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.integers(0, 3000),
)
def test_mutated_captures_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(changed)] = value
    folder = tmp_path_factory.getbasetemp()
    path, out = folder / "mutated.pcap", folder / "mutated.parquet"
    path.write_bytes(changed[: len(changed) - (cut if cut < len(changed) and cut % 3 == 0 else 0)])
    try:
        probe_captures([path], out, nodes=[NodeSpec("n")], network="lab", key=KEY, allow_unheard=True)
    except CaptureError as error:
        assert str(error).endswith(".")


@given(st.binary(max_size=300), st.sampled_from([b"", pcap([])[:24], section("<", [(1, 6)])]))
def test_random_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.pcap"
    path.write_bytes(start + data)
    try:
        for _ in read_packets(path):
            pass
    except CaptureError:
        pass


def test_ethernet_helper_is_what_the_decoder_reads() -> None:
    assert ethernet(udp(UE, PCSCF, b"x"))[12:14] == b"\x08\x00"
