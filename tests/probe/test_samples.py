"""Captures of others: as many messages as their descriptions say. They are not part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden import KEY

from faultprint import storage
from faultprint.probe.capture import NodeSpec, probe_captures
from faultprint.tables import TRANSACTIONS

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "captures"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the sample captures (../shared/data/captures) are not here"
)

# Messages, and how many of them are copies (a tunnel's, or none).
SAMPLES = {
    "sip.pcap": (81, 0),
    "sip_ipv6_udp.pcap": (6, 0),
    "sip_ipv4_tcp_fragmented.pcap": (406, 0),
    "sip_ipv4_tcp_retrans.pcap": (8, 0),
    "http_on_sip_port.pcap": (0, 0),
    "ipip0.pcap": (8, 0),
    "sip_tcp_websocket.pcap": (39, 0),
    "nonipsec_reg.pcapng": (50, 24),
    # tshark shows 62 and 41 frames; it takes a TCP segment's copy in a tunnel for a retransmission and does not read it.
    "ipsec_to_nonipsec_call.pcapng": (70, 28),
    "volte.pcapng": (48, 21),
    "Diameter_AIA2.pcapng": (0, 0),
    # tshark shows 2,639; the six on port 1293 it takes for another protocol (`-d udp.port==1293,sip` shows them).
    "SIP-Bruteforce-Single-IP.pcap": (2645, 0),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_message_counts(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.parquet"
    report = probe_captures([FOLDER / name], out, nodes=[NodeSpec("node")], network="lab", key=KEY)
    assert (report.messages, report.duplicates) == SAMPLES[name]
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
