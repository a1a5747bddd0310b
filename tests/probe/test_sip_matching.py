"""Which messages belong together: addresses, letter case, branches on several legs (RFC 3261, 7.3.1, 17.1.3, 17.2.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import MS, PCSCF, SCSCF, UE, Probed, S, frames, pcap, probe, request, response

SECOND, OTHER = "10.0.0.2", "10.0.1.2"
Timed = tuple[int, str, str, bytes]


def run(folder: Path, messages: list[Timed], *nodes: str) -> Probed:
    return probe(folder, pcap(frames(messages)), nodes=nodes or (f"p={PCSCF}",))


@pytest.mark.parametrize(
    ("source", "target"), [(SECOND, UE), (PCSCF, "10.8.0.9"), (SECOND, "10.8.0.9")], ids=["server", "client", "both"]
)
@pytest.mark.parametrize("nodes", [(f"p={PCSCF}",), (f"p={PCSCF},{SECOND}",)], ids=["one address", "two addresses"])
def test_an_answer_from_or_to_another_address(tmp_path: Path, source: str, target: str, nodes: tuple[str, ...]) -> None:
    text = request("OPTIONS")
    got = run(tmp_path, [(0, UE, PCSCF, text), (MS, source, target, response(200, text))], *nodes)
    assert (got.column("status"), got.column("messages"), got.report.skipped) == ([200], [2], {})


def test_a_core_that_answers_from_another_address_over_ipv6(tmp_path: Path) -> None:
    text = request("OPTIONS", via=["[2001:DB8::1];branch=z9hG4bKx"])
    answer = response(200, text).replace(b"2001:DB8", b"2001:db8")
    messages = [(0, "2001:db8::1", "2001:db8::60", text), (MS, "2001:db8::61", "2001:db8::1", answer)]
    assert run(tmp_path, messages, "p=2001:db8::1").column("status") == [200]


def test_a_guessed_branch_takes_no_transaction_without_its_call_id(tmp_path: Path) -> None:
    text, guessed = request("OPTIONS"), request("OPTIONS", call="guess")
    messages = [(0, PCSCF, SCSCF, text), (MS, "192.0.2.66", PCSCF, response(503, guessed))]
    got = run(tmp_path, [*messages, (9 * MS, SCSCF, PCSCF, response(200, text))])
    assert got.column("status") == [200]
    assert got.report.skipped == {"response without its request": 1}


def test_one_branch_on_two_legs_is_two_transactions(tmp_path: Path) -> None:
    """A balancer hands on what it gets, and the node answers the client at once."""
    text = request("OPTIONS")
    balancer = "10.0.0.100"
    legs: list[Timed] = [(0, UE, balancer, text), (MS, balancer, PCSCF, text)]
    nodes = (f"p={PCSCF}", f"b={balancer}")
    back = [(8 * MS, PCSCF, balancer, response(404, text)), (9 * MS, balancer, UE, response(200, text))]
    got = run(tmp_path, [*legs, *back], *nodes)
    by_start = [(row["node"], row["status"]) for row in got.table.sort("start", "direction").to_dicts()]
    assert by_start == [("b", 200), ("p", 404), ("b", 404)]
    assert got.report.retransmissions == 0
    direct = run(tmp_path, [*legs, (9 * MS, PCSCF, UE, response(200, text))], *nodes)
    assert direct.table.filter(direct.table["status"] == 200).get_column("node").to_list() == ["b"]


def test_a_client_that_reuses_its_branch_towards_two_servers(tmp_path: Path) -> None:
    one, two = request("OPTIONS", call="one"), request("OPTIONS", call="two")
    messages = [(0, PCSCF, SCSCF, one), (MS, PCSCF, OTHER, two)]
    messages += [(9 * MS, SCSCF, PCSCF, response(200, one)), (10 * MS, "10.0.1.9", PCSCF, response(486, two))]
    assert run(tmp_path, messages).column("status") == [200, 486]


@pytest.mark.parametrize("ack_to", [PCSCF, SECOND])
def test_a_call_whose_answer_and_ack_use_another_address(tmp_path: Path, ack_to: str) -> None:
    invite = request("INVITE", to="bob")
    ack = request("ACK", to="bob", tag="t1", via=["10.8.0.1;branch=z9hG4bKack"])
    messages = [(0, UE, PCSCF, invite), (S, SECOND, UE, response(200, invite)), (S + MS, UE, ack_to, ack)]
    got = run(tmp_path, messages, f"p={PCSCF},{SECOND}")
    assert (got.column("status"), got.column("messages"), got.report.skipped) == ([200], [3], {})


LOWER = [
    (b" SIP/2.0\r\n", b" sip/2.0\r\n"),
    (b"Via: SIP/2.0/UDP", b"VIA : sip/2.0/udp"),
    (b"branch=z9hG4bKa", b"BRANCH=Z9HG4BKA"),
    (b"<sip:", b"<SIP:"),
    (b";tag=", b";TAG="),
    (b"ims.example.org>", b"IMS.Example.ORG>"),
    (b"Call-ID:", b"CALL-id:"),
    (b"CSeq:", b"cseq:"),
]


@pytest.mark.parametrize(("usual", "odd"), LOWER)
def test_letter_case_does_not_matter(tmp_path: Path, usual: bytes, odd: bytes) -> None:
    text = request("OPTIONS")
    assert usual in text
    for number, texts in enumerate([(text.replace(usual, odd), response(200, text)), (text, response(200, text))]):
        first, second = texts if number == 0 else (text, response(200, text).replace(usual, odd))
        second = second.replace(b"SIP/2.0 200", b"sip/2.0 200") if number else second
        got = run(tmp_path, [(0, UE, PCSCF, first), (MS, PCSCF, UE, second)])
        assert (got.column("status"), got.report.malformed) == ([200], {})


@pytest.mark.parametrize(("usual", "odd"), [(b"OPTIONS", b"options"), (b"Call-ID: call-1", b"Call-ID: CALL-1")])
def test_methods_and_call_ids_have_one_case(tmp_path: Path, usual: bytes, odd: bytes) -> None:
    text = request("OPTIONS")
    other = text.replace(usual, odd)
    got = run(tmp_path, [(0, UE, PCSCF, text), (MS, UE, PCSCF, other), (2 * MS, PCSCF, UE, response(200, other))])
    assert got.column("status") == [None, 200]
    assert got.report.transactions == 2
