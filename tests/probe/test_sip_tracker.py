"""Golden captures of the transaction layer: each trap with the rows that it must give."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import MS, PCSCF, SCSCF, T0, UE, Probed, S, frames, pcap, probe, request, response

Timed = tuple[int, str, str, bytes]


def run(folder: Path, messages: list[Timed], end: int = 0, **more: object) -> Probed:
    """Probe UDP messages; `end` adds a stray datagram that moves the clock to that offset."""
    packets = frames(messages)
    if end:
        packets += frames([(end, "192.0.2.1", "192.0.2.2", b"\x80\x00not SIP")])
    return probe(folder, pcap(packets), **more)  # type: ignore[arg-type]


def forwarded(text: bytes) -> bytes:
    """The P-CSCF's copy: a Via of its own on top."""
    line, rest = text.split(b"\r\n", 1)
    return line + b"\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKp.1\r\n" + rest


def test_a_registration_through_the_node_is_two_transactions_on_two_legs(tmp_path: Path) -> None:
    first = request()
    second = request(cseq=2, via=["10.8.0.1:5060;branch=z9hG4bKb"])
    second_out = forwarded(second).replace(b"bKp.1", b"bKp.2")
    got = run(
        tmp_path,
        [
            (0, UE, PCSCF, first),
            (2 * MS, PCSCF, SCSCF, forwarded(first)),
            (9 * MS, SCSCF, PCSCF, response(401, forwarded(first))),
            (10 * MS, PCSCF, UE, response(401, first)),
            (90 * MS, UE, PCSCF, second),
            (92 * MS, PCSCF, SCSCF, second_out),
            (99 * MS, SCSCF, PCSCF, response(200, second_out, headers=["Contact: <sip:u@10.8.0.1>;expires=600"])),
            (100 * MS, PCSCF, UE, response(200, second, headers=["Contact: <sip:u@10.8.0.1>;expires=600"])),
        ],
    )
    assert (got.report.messages, got.report.transactions) == (8, 4)
    assert got.column("direction") == ["in", "out", "in", "out"]
    assert got.column("interface") == ["Gm", "Mw", "Gm", "Mw"]
    assert got.column("method") == ["REGISTER.initial"] * 4
    assert got.column("status") == [401, 401, 200, 200]
    assert got.column("messages") == [2] * 4
    assert got.column("bytes")[0] == len(first) + len(response(401, first))
    assert len(set(got.column("user"))) == 1
    assert not got.report.skipped
    starts = [int(start.timestamp() * S) for start in got.column("start")]  # type: ignore[attr-defined]
    assert starts == [T0, T0 + 2 * MS, T0 + 90 * MS, T0 + 92 * MS]


CONTACT = "Contact: <sip:u@10.8.0.1>\r\n"

REGISTRATIONS = [
    # seconds, Contact or Expires of the request, granted, what it is
    (0, "Contact: <sip:u@10.8.0.1>;expires=600", "Contact: <sip:u@10.8.0.1>;expires=60", "REGISTER.initial"),
    (30, "Contact: <sip:u@10.8.0.1>;expires=600", "Contact: <sip:u@10.8.0.1>;expires=60", "REGISTER.refresh"),
    (95, f"{CONTACT}Expires: 600", "Expires: 600", "REGISTER.initial"),
    (99, f"{CONTACT}Expires: 600", "Expires: 600", "REGISTER.refresh"),
    (100, "Contact: *\r\nExpires: 0", "Expires: 0", "REGISTER.deregistration"),
    (101, f"{CONTACT}Expires: 600", "Expires: 600", "REGISTER.initial"),
    (102, "m: <sip:u@10.8.0.1>;expires=0", "Expires: 0", "REGISTER.deregistration"),
    (103, f"{CONTACT}Expires: 600", "", "REGISTER.initial"),
    (104, f"{CONTACT}EXPIRES : 0", "", "REGISTER.deregistration"),
    (105, "Expires: 600", "Contact: <sip:u@10.8.0.1>;expires=60", "other"),
]


def test_initial_refresh_and_deregistration(tmp_path: Path) -> None:
    messages: list[Timed] = []
    for number, (at, asked, granted, _) in enumerate(REGISTRATIONS):
        text = request(cseq=number + 1, via=[f"10.8.0.1:5060;branch=z9hG4bK{number}"], headers=asked.split("\r\n"))
        messages += [
            (at * S, UE, PCSCF, text),
            (at * S + MS, PCSCF, UE, response(200, text, headers=[granted] if granted else [])),
        ]
    got = run(tmp_path, messages)
    assert got.column("method") == [kind for *_, kind in REGISTRATIONS]
    assert not got.report.malformed


def test_a_failed_registration_stays_initial_and_bindings_belong_to_their_node(tmp_path: Path) -> None:
    texts = [request(cseq=number, via=[f"h;branch=z9hG4bK{number}"]) for number in range(1, 4)]
    messages: list[Timed] = []
    for number, (text, status, node) in enumerate(zip(texts, (403, 200, 200), (PCSCF, PCSCF, SCSCF), strict=True)):
        messages += [(number * S, UE, node, text), (number * S + MS, node, UE, response(status, text))]
    got = run(tmp_path, messages, nodes=[f"p={PCSCF}", f"s={SCSCF}"])
    assert got.column("method") == ["REGISTER.initial"] * 3
    assert got.column("node") == ["p", "p", "s"]


def call(offset: int = 0) -> tuple[bytes, list[Timed]]:
    """An answered call from UE to the P-CSCF, released after ten seconds."""
    invite = request("INVITE", uri="sip:bob@ims.example.org", to="bob", cseq=1, body="v=0\r\n")
    ack = request("ACK", to="bob", tag="t1", cseq=1, via=["10.8.0.1:5060;branch=z9hG4bKack"])
    bye = request("BYE", to="bob", tag="t1", cseq=2, via=["10.8.0.1:5060;branch=z9hG4bKbye"])
    timed = [
        (0, UE, PCSCF, invite),
        (3 * MS, PCSCF, UE, response(100, invite)),
        (500 * MS, PCSCF, UE, response(180, invite)),
        (2 * S, PCSCF, UE, response(200, invite, body="v=0\r\n")),
        (2 * S + 50 * MS, UE, PCSCF, ack),
        (12 * S, UE, PCSCF, bye),
        (12 * S + 5 * MS, PCSCF, UE, response(200, bye)),
    ]
    return invite, [(offset + at, source, target, text) for at, source, target, text in timed]


def test_a_call(tmp_path: Path) -> None:
    _, messages = call()
    got = run(tmp_path, messages)
    assert got.column("method") == ["INVITE.originating", "BYE"]
    assert got.column("status") == [200, 200]
    assert got.column("messages") == [5, 2]  # the 2xx's ACK is the INVITE's
    assert got.column("session_us") == [None, 10 * S]
    first = got.table.sort("start").row(0, named=True)
    assert (first["provisional"] - first["start"]).total_seconds() == 0.003
    assert (first["ringing"] - first["start"]).total_seconds() == 0.5
    assert (first["completion"] - first["start"]).total_seconds() == 2
    assert len(set(got.column("dialog"))) == 1


def test_a_call_that_passes_a_leg_both_ways_has_one_ack_on_each(tmp_path: Path) -> None:
    ways = ((PCSCF, SCSCF), (SCSCF, PCSCF))
    hops = [[f"10.8.0.1:5060;branch=z9hG4bK{method}{way}"] for method in ("i", "a") for way in range(2)]
    invites = [request("INVITE", to="bob", via=via) for via in hops[:2]]
    acks = [request("ACK", to="bob", tag="t1", via=via, headers=["Route: <sip:x>"]) for via in hops[2:]]
    for first in range(2):  # whichever way is answered first
        messages: list[Timed] = []
        for order, way in enumerate((first, 1 - first)):
            (source, target), at = ways[way], order * MS
            messages += [
                (at, source, target, invites[way]),
                (S + at, target, source, response(200, invites[way])),
                (S + 10 * MS + at, source, target, acks[way]),
            ]
        got = run(tmp_path, sorted(messages))
        assert got.column("messages") == [3, 3]
        assert not got.report.skipped


def test_a_failed_call_and_its_ack(tmp_path: Path) -> None:
    invite = request("INVITE", to="bob")
    ack = request("ACK", to="bob", tag="t1")
    got = run(tmp_path, [(0, UE, PCSCF, invite), (MS, PCSCF, UE, response(486, invite)), (2 * MS, UE, PCSCF, ack)])
    assert (got.column("status"), got.column("messages")) == ([486], [3])
    assert not got.report.skipped


def test_cancel(tmp_path: Path) -> None:
    invite = request("INVITE", to="bob")
    cancel = request("CANCEL", to="bob")
    got = run(
        tmp_path,
        [
            (0, UE, PCSCF, invite),
            (10 * MS, PCSCF, UE, response(180, invite)),
            (S, UE, PCSCF, cancel),
            (S + MS, PCSCF, UE, response(200, cancel)),
            (S + 2 * MS, PCSCF, UE, response(487, invite)),
            (S + 3 * MS, UE, PCSCF, request("ACK", to="bob", tag="t1")),
        ],
    )
    assert got.column("method") == ["INVITE.originating", "CANCEL"]
    assert got.column("status") == [487, 200]
    assert got.column("messages") == [4, 2]


@pytest.mark.parametrize(
    ("method", "tag", "kind"),
    [
        ("PRACK", "t1", "PRACK"), ("UPDATE", "t1", "UPDATE"), ("INVITE", "t1", "INVITE.in-dialog"), ("INFO", "t1", "INFO"),
        ("MESSAGE", "", "MESSAGE"), ("SUBSCRIBE", "", "SUBSCRIBE"), ("NOTIFY", "t1", "NOTIFY"), ("PUBLISH", "", "PUBLISH"),
        ("REFER", "t1", "REFER"), ("OPTIONS", "", "OPTIONS"), ("BYE", "t1", "BYE"), ("FROBNICATE", "", "other"),
        ("UAR", "", "other"),
    ],
)  # fmt: skip
def test_methods(tmp_path: Path, method: str, tag: str, kind: str) -> None:
    text = request(method, tag=tag)
    got = run(tmp_path, [(0, UE, PCSCF, text), (MS, PCSCF, UE, response(200, text))])
    assert (got.column("method"), got.column("status"), got.column("session_us")) == ([kind], [200], [None])


def test_retransmissions_are_counted_and_copies_are_not(tmp_path: Path) -> None:
    text = request("OPTIONS")
    answer = response(200, text)
    got = run(
        tmp_path,
        [
            (0, UE, PCSCF, text),
            (1 * MS, UE, PCSCF, text),  # a mirror's copy
            (500 * MS, UE, PCSCF, text),  # Timer E
            (501 * MS, UE, PCSCF, text),  # its copy
            (1500 * MS, UE, PCSCF, text),
            (1600 * MS, PCSCF, UE, answer),
            (1601 * MS, PCSCF, UE, answer),  # copy
            (2500 * MS, UE, PCSCF, text),
            (2501 * MS, PCSCF, UE, answer),
        ],
    )
    assert (got.report.messages, got.report.duplicates, got.report.retransmissions) == (9, 3, 4)
    assert (got.column("retransmissions"), got.column("response_retransmissions")) == ([3], [1])
    assert got.column("messages") == [6]


def test_provisional_answers_again_and_forks(tmp_path: Path) -> None:
    invite = request("INVITE", to="bob")
    ringing, other = response(180, invite), response(180, invite, tag="fork")
    one, two = response(200, invite), response(200, invite, tag="fork")
    timed = [ringing, other, ringing, one, two, one]
    got = run(tmp_path, [(0, UE, PCSCF, invite), *((n * 100 * MS, PCSCF, UE, text) for n, text in enumerate(timed, 1))])
    assert got.column("response_retransmissions") == [2]
    assert got.column("messages") == [7]


def test_timeouts_are_closed_by_the_captures_clock(tmp_path: Path) -> None:
    options = request("OPTIONS", call="c1")
    invite = request("INVITE", call="c2", via=["h;branch=z9hG4bKi"])
    ringing = request("INVITE", call="c3", via=["h;branch=z9hG4bKr"])
    late = request("MESSAGE", call="c4", via=["h;branch=z9hG4bKm"])
    got = run(
        tmp_path,
        [
            (0, UE, PCSCF, options),
            (1, UE, PCSCF, invite),
            (2, UE, PCSCF, ringing),
            (S, PCSCF, UE, response(180, ringing)),
            (31 * S, UE, PCSCF, late),
            (40 * S, PCSCF, UE, response(200, options)),  # too late: its client has given up
            (170 * S, PCSCF, UE, response(183, ringing)),  # winds Timer C up again
        ],
        end=230 * S,
    )
    durations = [
        None if row["completion"] is None else row["completion"] - row["start"]
        for row in got.table.sort("start").to_dicts()
    ]
    assert [None if time is None else time.total_seconds() for time in durations] == [32, 32, None, 32]
    assert got.column("status") == [None] * 4
    assert (got.report.timed_out, got.report.open) == (3, 1)


def test_timer_c(tmp_path: Path) -> None:
    invite = request("INVITE")
    got = run(tmp_path, [(0, UE, PCSCF, invite), (S, PCSCF, UE, response(180, invite))], end=400 * S)
    row = got.table.row(0, named=True)
    assert row["status"] is None
    assert 180 < (row["completion"] - row["start"]).total_seconds() < 200


def test_what_is_open_at_the_end_stays_open(tmp_path: Path) -> None:
    got = run(tmp_path, [(0, UE, PCSCF, request()), (S, UE, PCSCF, request("OPTIONS", via=["h;branch=z9hG4bK2"]))])
    assert got.column("completion") == [None, None]
    assert (got.report.open, got.report.timed_out) == (2, 0)


def test_rfc_2543_branches_are_told_apart_by_call_and_tags(tmp_path: Path) -> None:
    messages: list[Timed] = []
    for number, via in enumerate(["10.8.0.1:5060", "10.8.0.1:5060;branch=1", "10.8.0.1:5060;branch=z9hG4bK"]):
        for round_, name in enumerate(("one", "two")):
            text = request("OPTIONS", via=[via], call=f"{name}-{number}")
            at = number * S + round_ * MS
            messages += [(at, UE, PCSCF, text), (at + 10 * MS, PCSCF, UE, response(200 + number, text))]
    messages.sort(key=lambda timed: timed[0])
    got = run(tmp_path, messages)
    assert got.column("status") == [200, 200, 201, 201, 202, 202]


def test_a_client_that_always_gives_the_same_branch(tmp_path: Path) -> None:
    texts = [request("OPTIONS", call=f"c{number}") for number in range(3)]
    messages = [
        timed
        for number, text in enumerate(texts)
        for timed in ((number * S, UE, PCSCF, text), (number * S + MS, PCSCF, UE, response(404, text)))
    ]
    got = run(tmp_path, messages)
    assert (got.column("status"), got.report.retransmissions) == ([404] * 3, 0)


def test_two_watched_nodes_each_get_a_row(tmp_path: Path) -> None:
    text = forwarded(request("MESSAGE"))
    got = run(
        tmp_path,
        [(0, PCSCF, SCSCF, text), (MS, SCSCF, PCSCF, response(202, text))],
        nodes=[f"p={PCSCF}:5060", f"s={SCSCF}"],
    )
    assert sorted(zip(got.column("node"), got.column("direction"), strict=True)) == [("p", "out"), ("s", "in")]
    assert got.column("interface") == ["Mw", "Mw"]
    assert got.report.messages == 2


def test_a_terminating_call_and_its_copy(tmp_path: Path) -> None:
    arriving = forwarded(request("INVITE", to="bob", user="carol"))
    leaving = arriving.replace(b"SIP/2.0\r\n", b"SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKq\r\n", 1)
    got = run(tmp_path, [(0, SCSCF, PCSCF, arriving), (MS, PCSCF, UE, leaving)])
    assert got.column("method") == ["INVITE.terminating"] * 2
    contact = leaving.replace(b"INVITE sip:ims.example.org", b"INVITE sip:bob@" + UE.encode())
    got = run(tmp_path, [(0, SCSCF, PCSCF, arriving), (MS, PCSCF, UE, contact)])
    assert got.column("method") == ["INVITE.terminating"] * 2
    assert got.column("interface") == ["Mw", "Gm"]


def test_what_belongs_to_nobody_is_counted(tmp_path: Path) -> None:
    text = request("OPTIONS")
    got = run(
        tmp_path,
        [
            (0, UE, PCSCF, response(200, text)),
            (MS, UE, PCSCF, request("ACK")),
            (2 * MS, "192.0.2.1", "192.0.2.2", text),
            (3 * MS, UE, PCSCF, b"\r\n\r\n"),
            (4 * MS, UE, PCSCF, b"GET / HTTP/1.1\r\n\r\n"),
        ],
    )
    assert got.report.transactions == 0
    assert got.report.messages == 3
    assert got.report.skipped == {
        "response without its request": 1,
        "ACK without its INVITE": 1,
        "message without a watched node": 1,
        "keep-alive": 1,
        "datagram is not SIP": 1,
    }


def test_a_response_from_another_port_is_the_same_leg(tmp_path: Path) -> None:
    from captures import ethernet, udp

    text = request("OPTIONS")
    packets = [
        (T0, ethernet(udp(UE, PCSCF, text, (6100, 6101)))),
        (T0 + MS, ethernet(udp(PCSCF, UE, response(200, text), (6102, 6103)))),
    ]
    got = probe(tmp_path, pcap(packets))
    assert got.column("status") == [200]
