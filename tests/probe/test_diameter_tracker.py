"""Diameter transactions: paired, repeated, timed out, named; and the rows that they give."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from captures import (
    COMMON,
    CX,
    GX,
    KEY,
    MS,
    PCSCF,
    RX,
    SCSCF,
    T0,
    UE,
    Probed,
    S,
    answer,
    avp,
    chunk,
    diameter,
    ethernet,
    frames,
    pcap,
    probe,
    request,
    response,
    sctp,
    subscription,
    tcp,
)
from hypothesis import given
from hypothesis import strategies as st

from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.diameter import MAX_SESSIONS, MAX_TRANSACTIONS, DiameterTracker
from faultprint.probe.transactions.nodes import WatchedNodes, parse_endpoint

PCRF, OTHER_PCRF, HSS = "10.0.3.1", "10.0.3.2", "10.0.2.1"
ALICE = "sip:alice@ims.example.org"
AAR = diameter(265, subscription(2, ALICE.encode()))
STR = diameter(275, hop=2, end=2)

Timed = tuple[int, str, str, bytes]


def run(folder: Path, messages: list[Timed], *, end: int = 0, nodes: tuple[str, ...] = (f"pcscf={PCSCF}",)) -> Probed:
    """Probe timed messages over SCTP, in each direction numbered on; `end` moves the clock to that offset."""
    packets = []
    for number, (at, source, target, text) in enumerate(messages):
        ports = (40000, 3868) if source < target else (3868, 40000)
        packets.append((T0 + at, ethernet(sctp(source, target, chunk(number, text), ports=ports))))
    if end:
        packets += frames([(end, "192.0.2.1", "192.0.2.2", b"\x80\x00not SIP")])
    return probe(folder, pcap(packets), nodes=nodes)


def test_a_session_is_paired_request_by_request(tmp_path: Path) -> None:
    rar = diameter(258, hop=77, end=77)
    got = run(
        tmp_path,
        [
            (0, PCSCF, PCRF, AAR),
            (4 * MS, PCRF, PCSCF, answer(AAR)),
            (S, PCRF, PCSCF, rar),
            (S + 2 * MS, PCSCF, PCRF, answer(rar, 5002)),
            (2 * S, PCSCF, PCRF, STR),
            (2 * S + MS, PCRF, PCSCF, answer(STR, None, avp(297, avp(266, 10415) + avp(298, 5063)))),
        ],
    )
    assert got.column("protocol") == ["Diameter"] * 3
    assert got.column("interface") == ["Rx"] * 3
    assert got.column("method") == ["AAR", "RAR", "STR"]
    assert got.column("direction") == ["out", "in", "out"]
    assert got.column("status") == [2001, 5002, 5063]
    assert got.column("messages") == [2] * 3
    assert got.column("bytes")[0] == len(AAR) + len(answer(AAR))
    assert got.column("user") == [Hasher(KEY).user(ALICE.encode())] * 3
    assert got.column("dialog") == [Hasher(KEY).call(b"p;1;1")] * 3
    for name in ("provisional", "ringing", "session_us"):
        assert got.column(name) == [None] * 3
    taken = [
        (end - start).total_seconds() for start, end in got.table.select("start", "completion").sort("start").rows()
    ]
    assert taken == [0.004, 0.002, 0.001]
    report = got.report
    assert (report.messages, report.diameter_messages, report.transactions) == (0, 6, 3)
    assert not report.malformed
    assert not report.skipped


COMMANDS = {
    (CX, 300): "UAR",
    (CX, 301): "SAR",
    (CX, 302): "LIR",
    (CX, 303): "MAR",
    (CX, 304): "other",
    (CX, 305): "other",
    (RX, 258): "RAR",
    (RX, 265): "AAR",
    (RX, 274): "ASR",
    (RX, 275): "STR",
}


def test_commands_of_both_applications(tmp_path: Path) -> None:
    messages: list[Timed] = []
    for number, (application, command) in enumerate(COMMANDS):
        text = diameter(command, application=application, hop=number, end=number)
        messages += [(number * S, PCSCF, HSS, text), (number * S + 1, HSS, PCSCF, answer(text))]
    got = run(tmp_path, messages)
    assert got.column("method") == list(COMMANDS.values())
    assert got.column("interface") == ["Cx" if application == CX else "Rx" for application, _ in COMMANDS]


@pytest.mark.parametrize(
    ("command", "application", "direction"), [(265, RX, "out"), (258, RX, "in"), (300, CX, "out"), (305, CX, "in")]
)
def test_two_functions_of_one_host(tmp_path: Path, command: int, application: int, direction: str) -> None:
    text = diameter(command, application=application)
    packets = []
    for at, data, ports in ((0, text, (40000, 3868)), (MS, answer(text), (3868, 40000))):
        packets.append((T0 + at, ethernet(sctp(PCSCF, PCSCF, chunk(1, data), ports=ports))))
    got = probe(tmp_path, pcap(packets))
    assert (got.column("status"), got.column("direction"), got.column("node")) == ([2001], [direction], ["pcscf"])


def test_what_is_not_written_is_counted(tmp_path: Path) -> None:
    gx, watchdog = diameter(258, application=GX), diameter(280, application=COMMON, session=None)
    other = diameter(265, hop=9, end=9)
    got = run(
        tmp_path,
        [
            (0, PCSCF, PCRF, gx),
            (1, PCRF, PCSCF, answer(gx)),
            (2, PCSCF, PCRF, watchdog),
            (3, UE, PCRF, AAR),
            (4, PCRF, PCSCF, answer(STR)),
            (5, PCSCF, PCRF, b"\x02" + other[1:]),
            (6, PCRF, PCSCF, answer(AAR, None)),
            (7, PCSCF, PCRF, diameter(265, hop=5, end=5, session=None)),
        ],
    )
    assert got.report.diameter_messages == 8
    assert got.report.skipped == {
        "Diameter application other than Cx and Rx": 2,
        "Diameter base protocol (capabilities, watchdog, disconnect)": 1,
        "message without a watched node": 1,
        "Diameter answer without its request": 1,
    }
    assert got.report.malformed == {"Diameter header": 1, "Diameter Result-Code": 1, "Diameter Session-Id": 1}
    assert got.column("dialog") == [None]
    assert (got.report.open, got.report.transactions) == (1, 1)


def test_no_answer_in_ten_seconds_is_a_time_out_and_a_later_one_changes_nothing(tmp_path: Path) -> None:
    late = diameter(265, hop=3, end=3, session="p;2;2")
    messages = [
        (0, PCSCF, PCRF, AAR),
        (S, PCSCF, PCRF, late),
        (11 * S + 1, PCRF, PCSCF, answer(late, session="p;2;2")),
        (12 * S, PCSCF, PCRF, STR),
    ]
    got = run(tmp_path, messages, end=15 * S)
    assert got.column("status") == [None] * 3
    assert got.column("messages") == [1, 2, 1]
    ends = [None if end is None else round(end.timestamp() * S) - T0 for end in got.column("completion")]  # type: ignore[attr-defined]
    assert ends == [10 * S, 11 * S, None]
    assert (got.report.timed_out, got.report.open) == (2, 1)


def again(text: bytes, *, flags: int = 0xD0, hop: int | None = None) -> bytes:
    """The request with the T flag, on the same connection or (with another hop-by-hop identifier) on another one."""
    return text[:4] + bytes([flags]) + text[5:12] + (text[12:16] if hop is None else hop.to_bytes(4, "big")) + text[16:]


REPEATS = {
    "same connection": (PCRF, again(AAR)),
    "same connection, no flag": (PCRF, again(AAR, flags=0xC0)),
    "another peer": (OTHER_PCRF, again(AAR, hop=900)),
    "another peer, no flag": (OTHER_PCRF, again(AAR, flags=0xC0, hop=900)),
}


@pytest.mark.parametrize("name", REPEATS)
@pytest.mark.parametrize("waits", [3, 25])
def test_a_request_sent_again_is_a_retransmission(tmp_path: Path, name: str, waits: int) -> None:
    peer, text = REPEATS[name]
    got = run(
        tmp_path, [(0, PCSCF, PCRF, AAR), (waits * S, PCSCF, peer, text), (waits * S + MS, peer, PCSCF, answer(text))]
    )
    assert got.column("method") == ["AAR"]
    assert got.column("status") == [2001 if waits < 10 else None]
    assert got.column("retransmissions") == [1]
    assert got.column("messages") == [3]
    assert got.report.retransmissions == 1
    assert "Diameter answer without its request" not in got.report.skipped


def test_both_answers_after_a_failover_are_one_transaction(tmp_path: Path) -> None:
    text = again(AAR, hop=900)
    got = run(
        tmp_path,
        [
            (0, PCSCF, PCRF, AAR),
            (3 * S, PCSCF, OTHER_PCRF, text),
            (4 * S, OTHER_PCRF, PCSCF, answer(text)),
            (5 * S, PCRF, PCSCF, answer(AAR)),
            (6 * S, PCRF, PCSCF, answer(AAR, 5012)),
        ],
    )
    assert got.column("status") == [2001]
    assert got.column("response_retransmissions") == [1]
    assert got.column("messages") == [5]


def test_the_flag_alone_says_that_it_was_sent_before(tmp_path: Path) -> None:
    text = again(AAR)
    got = run(tmp_path, [(0, PCSCF, PCRF, text), (MS, PCRF, PCSCF, answer(text))])
    assert (got.column("retransmissions"), got.column("messages"), got.column("status")) == ([1], [2], [2001])
    assert got.report.retransmissions == 1


def test_copies_within_20_ms_are_duplicates(tmp_path: Path) -> None:
    messages = [(0, PCSCF, PCRF, AAR), (5 * MS, PCSCF, PCRF, AAR), (9 * MS, PCRF, PCSCF, answer(AAR))]
    got = run(tmp_path, [*messages, (10 * MS, PCRF, PCSCF, answer(AAR)), (S, PCRF, PCSCF, answer(AAR))])
    assert got.report.duplicates == 2
    assert got.report.diameter_messages == 5
    assert (got.column("messages"), got.column("retransmissions")) == ([3], [0])
    assert got.column("response_retransmissions") == [1]


def test_the_same_identifiers_of_others_are_kept_apart(tmp_path: Path) -> None:
    """A relay that hands the identifiers on, another session after a restart, another client of the same server."""
    second = diameter(265, session="p;9;9")
    relay = f"relay={SCSCF}"
    got = run(
        tmp_path,
        [
            (0, PCSCF, SCSCF, AAR),
            (MS, SCSCF, PCRF, AAR),
            (2 * MS, PCRF, SCSCF, answer(AAR, 2001)),
            (3 * MS, SCSCF, PCSCF, answer(AAR, 2002)),
            (S, PCSCF, SCSCF, second),
            (2 * S, SCSCF, PCSCF, answer(AAR, 2003)),
            (3 * S, SCSCF, PCSCF, answer(second, 2004, session="p;9;9")),
            (4 * S, UE, SCSCF, diameter(265, session="ue;1;1")),
            (5 * S, SCSCF, UE, answer(AAR, 2005, session="ue;1;1")),
        ],
        nodes=(relay,),
    )
    assert got.column("direction") == ["in", "out", "in", "in"]
    assert got.column("status") == [2002, 2001, 2004, 2005]
    assert got.report.skipped == {"Diameter answer without its request": 1}


def test_an_answer_that_takes_another_path_of_the_association(tmp_path: Path) -> None:
    got = run(tmp_path, [(0, PCSCF, PCRF, AAR), (MS, OTHER_PCRF, PCSCF, answer(AAR))])
    assert got.column("status") == [2001]


def test_an_error_without_session_answers_its_request(tmp_path: Path) -> None:
    got = run(tmp_path, [(0, PCSCF, PCRF, AAR), (MS, PCRF, PCSCF, answer(AAR, 3002, flags=0x60, session=None))])
    assert got.column("status") == [3002]


def test_between_two_watched_nodes_it_is_two_rows(tmp_path: Path) -> None:
    got = run(tmp_path, [(0, PCSCF, PCRF, AAR), (MS, PCRF, PCSCF, answer(AAR))], nodes=(f"p={PCSCF}", f"r={PCRF}"))
    assert got.table.sort("node").select("node", "direction", "status").rows() == [
        ("p", "out", 2001),
        ("r", "in", 2001),
    ]


def test_sip_and_diameter_of_one_subscriber_have_one_hash(tmp_path: Path) -> None:
    register = request("REGISTER")
    uar = diameter(300, avp(1, b"001010@ims.example.org"), avp(601, ALICE.encode(), 10415), application=CX)
    packets = frames([(0, UE, PCSCF, register), (MS, PCSCF, UE, response(200, register))])
    for at, ports, text in ((2, (40000, 3868), AAR), (3, (40001, 3869), uar)):
        packets.append((T0 + at * MS, ethernet(tcp(PCSCF, PCRF, text, 1, ports))))
        packets.append((T0 + at * MS + 1, ethernet(tcp(PCRF, PCSCF, answer(text), 1, ports[::-1]))))
    got = probe(tmp_path, pcap(packets))
    assert got.column("protocol") == ["SIP", "Diameter", "Diameter"]
    assert got.column("interface") == ["Gm", "Rx", "Cx"]
    assert len(set(got.column("user"))) == 1
    assert (got.report.messages, got.report.diameter_messages, got.report.transactions) == (2, 4, 3)


def test_nothing_in_the_clear(tmp_path: Path) -> None:
    uar = diameter(300, avp(1, b"001010123456789@ims.example.org"), avp(601, ALICE.encode(), 10415), application=CX)
    got = run(tmp_path, [(0, PCSCF, HSS, uar), (MS, HSS, PCSCF, answer(uar)), (S, PCSCF, PCRF, AAR)])
    words = {str(value) for row in got.table.rows() for value in row}
    everything = got.raw.decode("latin-1") + json.dumps(got.report.as_dict()) + str(got.metadata) + str(words)
    for secret in ("alice", "001010123456789", "ims.example.org", "p;1;1"):
        assert secret not in everything


ALONE = {
    "the P-CSCF asks": ([(PCSCF, PCRF, AAR), (PCRF, PCSCF, answer(AAR))], PCSCF),
    "the P-CSCF is asked": ([(PCRF, PCSCF, diameter(258))] * 2, PCSCF),
    "only answers were heard": ([(PCRF, PCSCF, answer(AAR)), (PCSCF, PCRF, answer(diameter(274)))], PCSCF),
    "two ask, one more often": ([(SCSCF, HSS, AAR), (PCSCF, PCRF, AAR), (PCSCF, PCRF, STR)], PCSCF),
    "the HSS asks, too": (
        [(HSS, SCSCF, diameter(304, application=CX)), (SCSCF, HSS, diameter(300, application=CX))],
        SCSCF,
    ),
    "all on one host": ([(PCSCF, PCSCF, AAR)], f"{PCSCF}:40000"),
    "nobody": ([(PCSCF, PCRF, diameter(272, application=GX))], None),
}


@pytest.mark.parametrize("name", ALONE)
def test_the_node_of_a_capture_without_sip(tmp_path: Path, name: str) -> None:
    messages, node = ALONE[name]
    packets = []
    for number, (source, target, text) in enumerate(messages):
        ports = (3868, 40000) if source in (PCRF, HSS) else (40000, 3868)
        packets.append((T0 + number * S, ethernet(sctp(source, target, chunk(number, text), ports=ports))))
    got = probe(tmp_path, pcap(packets), nodes=("node",))
    assert got.report.nodes["node"].addresses == ((node,) if node else ())


def test_where_there_is_sip_it_names_the_node(tmp_path: Path) -> None:
    packets = frames([(0, UE, PCSCF, request("OPTIONS"))])
    packets += [(T0 + at, ethernet(sctp(SCSCF, HSS, chunk(at, AAR)))) for at in range(1, 20)]
    assert probe(tmp_path, pcap(packets), nodes=("node",)).report.nodes["node"].addresses == (PCSCF,)


def test_memory_is_bounded() -> None:
    rows = 0

    def emit(row: object) -> None:
        nonlocal rows
        rows += 1

    skipped: Counter[str] = Counter()
    taken = DiameterTracker(WatchedNodes({"p": [parse_endpoint(PCSCF)]}), "lab", Hasher(KEY), emit, skipped)
    wire = parse_endpoint(PCSCF) + parse_endpoint(PCRF) + b"\x9c\x40\x0f\x1c"
    count = 2 * MAX_TRANSACTIONS + MAX_SESSIONS
    for number in range(count):
        text = diameter(265, subscription(0, b"%d" % number), hop=number, end=number, session=f"p;{number}")
        taken.take(T0 + number, wire, DiameterMessage(text))
    assert len(taken) <= MAX_TRANSACTIONS
    assert taken.aliases == len(taken)
    assert taken.sessions <= MAX_SESSIONS
    taken.close()
    assert rows == taken.rows == taken.open + taken.timed_out == count
    assert skipped["transactions evicted (memory limit)"] == taken.timed_out >= count - MAX_TRANSACTIONS


TEXTS = [AAR, answer(AAR), STR, answer(STR, 5002), again(AAR), again(AAR, hop=900), diameter(265, session=None)]


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.booleans(), st.integers(0, 12 * S)), max_size=30))
def test_whatever_comes_no_message_is_lost(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[bytes, bool, int]]
) -> None:
    messages: list[Timed] = []
    at = 0
    for text, back, wait in events:
        at += wait
        messages.append((at, *((PCRF, PCSCF) if back else (PCSCF, PCRF)), text))
    got = run(tmp_path_factory.getbasetemp(), [(0, PCSCF, PCRF, AAR), *messages])
    report = got.report
    counted = sum(got.column("messages"))  # type: ignore[arg-type]
    assert report.diameter_messages == len(messages) + 1
    assert counted + report.duplicates + sum(report.skipped.values()) == len(messages) + 1
    assert all(end is None or end >= start for start, end in got.table.select("start", "completion").rows())
