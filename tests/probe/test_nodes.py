"""Which addresses are the node's, which way a request goes, and over which reference point."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import KEY, MS, PCSCF, SCSCF, T0, UE, Packet, ethernet, frames, pcap, probe, request, response, udp
from hypothesis import given
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.probe.capture.run import NodeSpec, probe_captures
from faultprint.probe.transactions.nodes import format_endpoint, parse_endpoint
from faultprint.tables import Interface


def test_specs() -> None:
    assert NodeSpec.parse("pcscf") == NodeSpec("pcscf")
    assert NodeSpec.parse("p=10.0.0.1, 10.0.0.2:5060,[2001:db8::1]:5060,2001:DB8::2") == NodeSpec(
        "p", ("10.0.0.1", "10.0.0.2:5060", "[2001:db8::1]:5060", "2001:db8::2")
    )


@pytest.mark.parametrize(
    "text", ["", "=10.0.0.1", "p=", "p=x", "p=10.0.0.1:0", "p=10.0.0.1:99999", "p=10.0.0.1,", "p=10.0.0.256"]
)
def test_bad_specs_give_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        NodeSpec.parse(text)
    assert str(caught.value).endswith(".")


@given(st.one_of(st.ip_addresses().map(lambda ip: ip.packed)), st.one_of(st.none(), st.integers(1, 65535)))
def test_endpoints_keep_their_meaning(address: bytes, port: int | None) -> None:
    endpoint = address + (b"" if port is None else port.to_bytes(2, "big"))
    assert parse_endpoint(format_endpoint(endpoint)) == endpoint


def test_contradicting_nodes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(frames([(0, UE, PCSCF, request())])))
    for nodes, reason in (
        (["a=10.0.0.1", "b=10.0.0.1"], "both have 10.0.0.1"),
        (["a", "b"], "both lack an address"),
        (["a=10.0.0.1", "a=10.0.0.2"], "same name"),
    ):
        with pytest.raises(UsageError, match=reason):
            probe_captures(
                [tmp_path / "a"], tmp_path / "o", nodes=[NodeSpec.parse(node) for node in nodes], network="l", key=KEY
            )


def hop(text: bytes, number: int) -> bytes:
    line, rest = text.split(b"\r\n", 1)
    return line + b"\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bKhop%d\r\n" % number + rest


def proxied(count: int = 6) -> list[tuple[int, str, str, bytes]]:
    """REGISTERs of several phones through the P-CSCF."""
    messages = []
    for number in range(count):
        text = request(via=[f"u:5060;branch=z9hG4bK{number}"], user=f"u{number}", call=f"c{number}")
        copy = hop(text, number)
        ue, at = f"10.8.0.{number + 1}", number * 100 * MS
        messages += [(at, ue, PCSCF, text), (at + MS, PCSCF, SCSCF, copy)]
        messages += [(at + 2 * MS, SCSCF, PCSCF, response(200, copy)), (at + 3 * MS, PCSCF, ue, response(200, text))]
    return messages


def test_the_node_is_inferred_and_reported(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(frames(proxied())), nodes=["p"])
    assert got.report.as_dict()["nodes"] == {"p": {"addresses": [PCSCF], "inferred": True}}
    assert sorted(got.column("direction")) == ["in"] * 6 + ["out"] * 6


def test_a_server_is_inferred_rather_than_its_only_client(tmp_path: Path) -> None:
    messages = [
        (n * MS, UE, f"10.0.0.{1 + n % 3 // 2}", request("OPTIONS", via=[f"h;branch=z9hG4bK{n}"])) for n in range(9)
    ]
    assert probe(tmp_path, pcap(frames(messages)), nodes=["p"]).report.nodes["p"].addresses == ("10.0.0.1",)


def test_inference_leaves_the_given_nodes_alone(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(frames(proxied())), nodes=[f"p={PCSCF}", "other"])
    assert got.report.nodes["other"].addresses == (SCSCF,)
    assert not got.report.nodes["p"].inferred


def test_nothing_to_infer_from(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(frames([(0, UE, PCSCF, b"nothing")])), nodes=["p"])
    assert got.report.as_dict()["nodes"] == {"p": {"addresses": [], "inferred": True}}
    assert got.report.transactions == 0


def shared_host() -> list[Packet]:
    """P-, I- and S-CSCF on one address, ports 5060, 4060 and 6060."""
    packets: list[Packet] = []
    for number in range(4):
        text = request(via=[f"u:5060;branch=z9hG4bK{number}"], user=f"u{number}", call=f"c{number}")
        legs = [
            (f"10.8.0.{number + 1}", 5060, 5060, text),
            (PCSCF, 5060, 4060, hop(text, 1)),
            (PCSCF, 4060, 6060, hop(hop(text, 1), 2)),
        ]
        for step, (source, port, to, message) in enumerate(legs):
            packets.append((T0 + number * 100 * MS + step * MS, ethernet(udp(source, PCSCF, message, (port, to)))))
    return packets


def test_nodes_on_one_address_are_told_apart_by_port(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(shared_host()), nodes=[f"p={PCSCF}:5060", f"s={PCSCF}:6060", f"i={PCSCF}:4060"])
    rows = got.table.group_by("node", "direction", "interface").len().sort("node", "direction").rows()
    assert rows == [
        ("i", "in", "Mw", 4),
        ("i", "out", "Mw", 4),
        ("p", "in", "Gm", 4),
        ("p", "out", "Mw", 4),
        ("s", "in", "Mw", 4),
    ]
    inferred = probe(tmp_path, pcap(shared_host()), nodes=["p"]).report.nodes["p"].addresses
    assert inferred in ((f"{PCSCF}:5060",), (f"{PCSCF}:4060",))


def test_a_message_inside_a_node_does_not_cross_its_border(tmp_path: Path) -> None:
    got = probe(tmp_path, pcap(shared_host()), nodes=[f"box={PCSCF}"])
    assert got.report.transactions == 4
    assert got.report.skipped == {"message without a watched node": 8}


def interfaces(folder: Path, messages: list[tuple[int, str, str, bytes]]) -> list[object]:
    return probe(folder, pcap(frames(messages))).column("interface")


def test_how_interfaces_are_told(tmp_path: Path) -> None:
    def text(method: str, number: int, **more: object) -> bytes:
        return request(method, via=[f"h;branch=z9hG4bK{number}"], **more)  # type: ignore[arg-type]

    assert interfaces(tmp_path, [(0, PCSCF, SCSCF, text("OPTIONS", 1)), (MS, PCSCF, SCSCF, text("REGISTER", 2))]) == [
        "Mw",
        "Mw",
    ]
    assert interfaces(
        tmp_path, [(0, SCSCF, PCSCF, text("NOTIFY", 1)), (MS, SCSCF, PCSCF, hop(text("INVITE", 2), 9))]
    ) == ["Mw", "Mw"]
    assert interfaces(tmp_path, [(0, UE, PCSCF, text("MESSAGE", 1)), (MS, PCSCF, UE, text("MESSAGE", 2))]) == [
        "Gm",
        "Gm",
    ]
    crowd = [(n * MS, SCSCF, PCSCF, text("INVITE", n, user=f"u{n}")) for n in range(12)]
    assert interfaces(tmp_path, crowd) == ["Gm"] * 8 + ["Mw"] * 4
    brute = [(n * MS, UE, PCSCF, text("REGISTER", n, user=f"u{n}")) for n in range(12)]
    assert interfaces(tmp_path, brute) == ["Gm"] * 12


def test_given_peers_go_before_all_evidence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(frames(proxied())))
    report = probe_captures(
        [tmp_path / "a"],
        tmp_path / "o.parquet",
        nodes=[NodeSpec("p", (PCSCF,))],
        network="l",
        key=KEY,
        peers={SCSCF: Interface.GM, UE: Interface.MW},
    )
    assert report.transactions == 12
    import polars as pl

    table = pl.read_parquet(tmp_path / "o.parquet")
    assert table.filter(direction="out")["interface"].unique().to_list() == ["Gm"]
    assert sorted(table.filter(direction="in")["interface"].to_list()) == ["Gm"] * 5 + ["Mw"]
