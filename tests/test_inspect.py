"""`inspect` says what a capture holds; a node of which it holds nothing is a mistake."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.probe.captures import MS, PCSCF, T0, UE, Packet, S, ethernet, pcap, request, response, udp

from faultprint.cli import cli

SCSCF = "10.0.1.1"


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, output and message of a command, as a shell sees them."""
    result = CliRunner().invoke(cli, [*map(str, words)], standalone_mode=False)
    return int(result.exception is not None), result.stdout, str(result.exception or "")


def call(number: int, ue: str, pcscf: str = PCSCF, at: int = 0) -> list[Packet]:
    """A request from a phone through the P-CSCF to the S-CSCF, and its answers."""
    first = request("OPTIONS", via=[f"{ue}:5060;branch=z9hG4bKa{number}"], call=f"c{number}")
    second = request("OPTIONS", via=[f"{pcscf}:5060;branch=z9hG4bKb{number}"], call=f"c{number}")
    legs = [
        (ue, pcscf, first),
        (pcscf, SCSCF, second),
        (SCSCF, pcscf, response(200, second)),
        (pcscf, ue, response(200, first)),
    ]
    start = T0 + at + number * S
    return [
        (start + index * MS, ethernet(udp(source, target, text))) for index, (source, target, text) in enumerate(legs)
    ]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "it's a trace.pcap"
    path.write_bytes(pcap([packet for number in range(6) for packet in call(number, f"10.8.0.{number + 1}")]))
    return path


def test_inspect_names_the_p_cscf_and_the_command_works(capture: Path, tmp_path: Path) -> None:
    status, output, _ = run("inspect", capture)
    assert status == 0
    assert "24 packets from" in output
    assert f"{PCSCF} serves most peers" in output
    command = shlex.split(output.strip().splitlines()[-1])
    assert command[:2] == ["faultprint", "probe"]
    out = tmp_path / "t.parquet"
    words = [out if word == "transactions.parquet" else word for word in command[1:]]
    assert run(*words, "--key-file", tmp_path / "key")[0] == 0 and out.exists()


def test_two_p_cscfs_are_two_nodes(tmp_path: Path) -> None:
    packets = [packet for number in range(6) for packet in call(number, f"10.8.0.{number + 1}")]
    packets += [packet for number in range(6) for packet in call(number + 10, f"10.9.0.{number + 1}", "10.0.0.2")]
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(packets))
    found = json.loads(run("inspect", path, "--json")[1])
    assert sorted(found["nodes"]) == sorted([PCSCF, "10.0.0.2"])
    assert found["command"].count("--node") == 2
    assert found["methods"] == {"OPTIONS": 24} and found["messages"] == {"SIP": 48}


def test_a_capture_without_sip_says_what_there_was(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([(T0, ethernet(udp(UE, PCSCF, b"x" * 50))), (T0 + S, ethernet(udp(UE, PCSCF, b"y" * 50)))]))
    status, output, _ = run("inspect", path)
    assert status == 0 and "no SIP and no Diameter" in output and "there is no node to watch" in output
    assert "datagram is not SIP" in output


def test_a_node_without_a_message_is_a_mistake_that_names_the_busiest(capture: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    words = ("probe", capture, "--node", "a=10.77.0.1", "--key-file", tmp_path / "key", "--out", out)
    status, _, message = run(*words)
    assert status == 1 and not out.exists()
    assert "no message of node 'a' (10.77.0.1)" in message and f"--node a={PCSCF}" in message
    assert run(*words, "--allow-unheard")[0] == 0 and out.exists()


def test_of_several_nodes_the_unheard_one_is_named(capture: Path, tmp_path: Path) -> None:
    words = ("probe", capture, "--node", f"a={PCSCF}", "--node", "b=10.77.0.1", "--key-file", tmp_path / "key")
    assert "node 'b'" in run(*words, "--out", tmp_path / "t.parquet")[2]


def test_messages_with_a_defect_show_the_node_too(tmp_path: Path) -> None:
    text = request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: abc")
    answer = response(200, text).replace(b"Content-Length: 0", b"Content-Length: abc")
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([(T0, ethernet(udp(UE, PCSCF, text))), (T0 + MS, ethernet(udp(PCSCF, UE, answer)))]))
    words = ("probe", path, "--node", "p", "--key-file", tmp_path / "key", "--json", "--out", tmp_path / "t.parquet")
    report = json.loads(run(*words)[1])
    assert report["nodes"]["p"] == {"addresses": [PCSCF], "inferred": True} and report["transactions"] == 1


def test_a_client_with_many_servers_is_no_node(tmp_path: Path) -> None:
    """A scanner sends requests to many hosts; the node is the one that is asked by many."""
    packets = [packet for number in range(4) for packet in call(number, f"10.8.0.{number + 1}")]
    for number in range(50):
        text = request("OPTIONS", via=[f"203.0.113.9:5060;branch=z9hG4bKs{number}"], call=f"s{number}")
        packets.append((T0 + 30 * S + number, ethernet(udp("203.0.113.9", f"10.50.0.{number + 1}", text))))
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(packets))
    assert json.loads(run("inspect", path, "--json")[1])["nodes"][0] == PCSCF
