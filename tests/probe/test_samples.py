"""Captures of others: as many messages as their descriptions say. They are not part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import KEY

from faultprint import storage
from faultprint.probe.capture.run import NodeSpec, probe_captures
from faultprint.tables import TRANSACTIONS

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "captures"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the sample captures (../shared/data/captures) are not here"
)

# SIP messages, Diameter messages, and how many of both are copies (a tunnel's, or none). Of Diameter, tshark shows as
# many (`-Y diameter`), in two captures only when it is told of a port: `-d tcp.port==3871,diameter`.
SAMPLES = {
    "sip.pcap": (81, 0, 0),
    "sip_ipv6_udp.pcap": (6, 0, 0),
    "sip_ipv4_tcp_fragmented.pcap": (406, 0, 0),
    "sip_ipv4_tcp_retrans.pcap": (8, 0, 0),
    "http_on_sip_port.pcap": (0, 0, 0),
    "ipip0.pcap": (8, 0, 0),
    "sip_tcp_websocket.pcap": (39, 0, 0),
    "nonipsec_reg.pcapng": (50, 14, 24),
    # tshark shows 62 and 41 frames; it takes a TCP segment's copy in a tunnel for a retransmission and does not read it.
    "ipsec_to_nonipsec_call.pcapng": (70, 14, 28),
    "volte.pcapng": (48, 10, 21),
    "Diameter_AIA2.pcapng": (0, 2, 0),
    # tshark shows 2,639; the six on port 1293 it takes for another protocol (`-d udp.port==1293,sip` shows them).
    "SIP-Bruteforce-Single-IP.pcap": (2645, 0, 0),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_message_counts(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.parquet"
    report = probe_captures([FOLDER / name], out, nodes=[NodeSpec("node")], network="lab", key=KEY, allow_unheard=True)
    assert (report.messages, report.diameter_messages, report.duplicates) == SAMPLES[name]
    assert not report.malformed
    assert storage.read(out, TRANSACTIONS).height == report.transactions


def test_the_brute_force_is_seen(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    nodes = [NodeSpec.parse("server=137.11.220.89,138.167.116.102")]
    report = probe_captures([FOLDER / "SIP-Bruteforce-Single-IP.pcap"], out, nodes=nodes, network="lab", key=KEY)
    table = storage.read(out, TRANSACTIONS)
    assert set(table["method"]) == {"REGISTER.initial"}
    assert set(table["direction"]) == {"in"}
    assert set(table["interface"]) == {"Gm"}
    assert report.messages == table["messages"].sum() + sum(report.skipped.values())


def test_a_real_call_on_all_its_legs(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    nodes = [NodeSpec.parse("p=10.4.128.21:5060,10.4.128.21:6106"), NodeSpec.parse("s=10.4.128.21:6060")]
    probe_captures([FOLDER / "ipsec_to_nonipsec_call.pcapng"], out, nodes=nodes, network="lab", key=KEY)
    table = storage.read(out, TRANSACTIONS).filter(node="p")
    invites = table.filter(interface="Gm", direction="in", method="INVITE.originating")
    assert invites["status"].to_list() == [200]
    assert invites["messages"].to_list() == [5]
    assert table.filter(direction="in", interface="Mw", method="INVITE.terminating")["status"].sort().to_list() == [
        200,
        487,
    ]


# Node, interface, method and status of the Diameter transactions: what `tshark -Y diameter -T fields -e diameter.cmd.code
# -e diameter.applicationId -e diameter.Result-Code -e diameter.Experimental-Result-Code` shows of these connections.
DIAMETER = {
    "nonipsec_reg.pcapng": (
        ["p=127.0.0.1", "i=10.4.128.21:33078", "s=10.4.128.21:33164"],
        [("i", "Cx", "UAR", 2001), ("p", "Rx", "AAR", 2001), ("s", "Cx", "MAR", 2001), ("s", "Cx", "SAR", 2001)],
    ),
    "ipsec_to_nonipsec_call.pcapng": (
        ["i=10.4.128.21:34028", "p=10.4.128.21:3871"],
        [("i", "Cx", "LIR", 2001), ("p", "Rx", "AAR", 2001), ("p", "Rx", "AAR", 2001)],
    ),
    "volte.pcapng": (
        ["i=10.4.128.21:39196", "p=10.4.128.21:3871"],
        [("i", "Cx", "LIR", 2001), ("p", "Rx", "AAR", 2001), ("p", "Rx", "AAR", 2001)],
    ),
}


@pytest.mark.parametrize("name", DIAMETER)
def test_diameter_of_real_networks(tmp_path: Path, name: str) -> None:
    nodes, rows = DIAMETER[name]
    out = tmp_path / "out.parquet"
    report = probe_captures([FOLDER / name], out, nodes=list(map(NodeSpec.parse, nodes)), network="lab", key=KEY)
    table = storage.read(out, TRANSACTIONS).filter(protocol="Diameter")
    assert sorted(table.select("node", "interface", "method", "status").rows()) == rows
    assert set(table["messages"]) == {2}
    assert set(table["direction"]) == {"out"}
    assert table["user"].null_count() == 0
    assert not report.malformed
    # As many messages as rows hold, and the rest is of Gx and the watchdog.
    others = sum(count for reason, count in report.skipped.items() if reason.startswith("Diameter"))
    assert report.diameter_messages == table["messages"].sum() + others


def test_diameter_and_sip_name_a_subscriber_alike(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    nodes = [NodeSpec.parse("p=10.4.128.21,127.0.0.1"), NodeSpec.parse("s=10.4.128.21:33164,10.4.128.21:33078")]
    probe_captures([FOLDER / "nonipsec_reg.pcapng"], out, nodes=nodes, network="lab", key=KEY)
    table = storage.read(out, TRANSACTIONS)
    registered = set(table.filter(method="REGISTER.initial")["user"])
    assert len(registered) == 1
    assert set(table.filter(protocol="Diameter")["user"]) == registered
