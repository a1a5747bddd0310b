"""Agents with clocks of their own: every transaction comes out exactly, and no stamp moves time."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest
from captures import KEY, PCSCF, T0, UE, S, request, response
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.probe.capture.agents import source as hep_source
from faultprint.probe.capture.agents.access import HepAccess, HepAddress, HepOptions, parse_networks, read_key
from faultprint.probe.capture.agents.clock import AGREEING, SMALL_OFFSET_US, AgentClock
from faultprint.probe.capture.agents.source import HepSource
from faultprint.probe.capture.agents.stream import HepFramer
from faultprint.probe.capture.agents.table import MAX_AGENTS, AgentTable
from faultprint.probe.capture.hearing import HeardInterval, Hearing
from faultprint.probe.capture.hep import HepPacket, encode
from faultprint.probe.capture.live import Listener
from faultprint.probe.core import Probe
from faultprint.probe.messages.sip import read_datagram
from faultprint.probe.transactions.nodes import parse_endpoint
from faultprint.probe.transactions.transaction import Row
from faultprint.probe.types import HeardMessage
from faultprint.tables import TRANSACTIONS

STATUS, START, COMPLETION = (TRANSACTIONS.names.index(name) for name in ("status", "start", "completion"))
NODE, PEER = parse_endpoint(PCSCF), parse_endpoint(UE)
BOUND = 10 * S
MS = 1000


class Feed:
    """HEP over loopback into a probe, by a clock that the test moves."""

    def __init__(self, options: HepOptions | None = None, address: str = "127.0.0.1:1") -> None:
        self.now_us = T0
        self.rows: list[Row] = []
        self.probe = Probe({"pcscf": [NODE]}, "lab", KEY, self.rows.append)
        place = HepAddress.parse(address)._replace(port=0)
        self.source = HepSource([place], {NODE: "pcscf"}, options, lambda: self.now_us)
        self.listener = Listener(self.probe, [self.source], ["pcscf"], lambda: self.now_us)
        self.to = ("127.0.0.1", self.source.ports[0])
        self.agents: dict[int, socket.socket] = {}

    def send(self, packet: HepPacket | bytes) -> None:
        sender = self.agents.setdefault(0, socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sender.sendto(packet if isinstance(packet, bytes) else encode(packet), self.to)

    def wait(self, us: int, step_us: int = 100 * MS) -> None:
        end = self.now_us + us
        while self.now_us < end:
            self.now_us = min(self.now_us + step_us, end)
            self.listener.listen(0)
            assert self.listener.complete_us <= self.now_us
            assert self.probe.now is None or self.probe.now <= self.now_us

    def close(self) -> None:
        self.listener.drain()
        self.probe.finish()
        self.source.close()
        for agent in self.agents.values():
            agent.close()


def asked(number: str, at: int, agent: int = 0) -> HepPacket:
    message = request("OPTIONS", via=(f"10.8.0.1:5060;branch=z9hG4bK{number}",), call=f"call-{number}")
    return HepPacket(at, PEER, NODE, 5060, 5060, 1, message, agent=agent)


def answered(number: str, at: int, agent: int = 0) -> HepPacket:
    message = response(200, request("OPTIONS", via=(f"10.8.0.1:5060;branch=z9hG4bK{number}",), call=f"call-{number}"))
    return HepPacket(at, NODE, PEER, 5060, 5060, 1, message, agent=agent)


PAUSE = 250 * MS
skews = st.one_of(
    st.integers(-400 * MS, 400 * MS),
    st.integers(-20 * S, 20 * S),
    st.integers(-(10**9) * S, 10**9 * S),
)
strangers = st.integers(-(10**8) * S, 10**8 * S).filter(lambda skew: abs(skew) > 2 * BOUND)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(skews, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(12, 30), strangers), max_size=8),
    st.integers(1, 200),
)
def test_each_transaction_comes_out_exactly(offsets: list[int], forged: list[tuple[int, int]], delay_ms: int) -> None:
    feed = Feed()
    count, delay = 40, delay_ms * MS
    # What lies within the bound of the agent's own clock is believed, whoever sent it.
    forged = [(at, skew) for at, skew in forged if abs(skew - offsets[0]) > BOUND + 2 * S]
    for number in range(count):
        for agent, offset in enumerate(offsets):
            feed.send(answered(f"{agent}-{number}", feed.now_us + offset + delay, agent))
            feed.send(asked(f"{agent}-{number}", feed.now_us + offset, agent))
        for at, skew in forged:
            if at == number:
                feed.send(asked(f"forged-{at}-{skew}", max(feed.now_us + skew, 0)))
        feed.wait(PAUSE)
    feed.wait(S)
    feed.close()
    assert Counter(row[STATUS] for row in feed.rows) == {200: count * len(offsets)}
    assert {row[COMPLETION] - row[START] for row in feed.rows} == {delay}
    learnt = {status.agent: status.offset_us for status in feed.source.agents.statuses()}
    for agent, offset in enumerate(offsets):
        found = learnt[agent]
        # The arrival of a message is known to lie between two readings of the socket, so a clock may be off by that, too.
        assert found is not None and abs(found + offset) <= SMALL_OFFSET_US + delay + PAUSE
    assert feed.probe.skipped[hep_source.UNBELIEVED] == len(set(forged)) if len(set(forged)) == len(forged) else True
    assert all(T0 - S <= row[START] <= feed.now_us for row in feed.rows)


def test_a_clock_that_is_set_anew_is_learnt_again() -> None:
    feed = Feed()
    for number in range(60):
        skew = 0 if number < 20 else 3600 * S if number < 40 else -40 * S
        feed.send(asked(str(number), feed.now_us + skew))
        feed.send(answered(str(number), feed.now_us + skew + 20 * MS))
        feed.wait(200 * MS)
    feed.wait(S)
    feed.close()
    assert Counter(row[STATUS] for row in feed.rows) == {200: 60}
    assert not feed.probe.skipped[hep_source.UNBELIEVED]
    (status,) = feed.source.agents.statuses()
    assert status.offset_us is not None and abs(status.offset_us - 40 * S) < S


def test_an_offset_within_the_bound_is_learnt_too() -> None:
    clock: AgentClock[str] = AgentClock(BOUND)
    assert clock.fits(T0, T0, T0)
    now = T0
    times = []
    for number in range(40):
        now = T0 + number * S
        stamp = now - 3 * S
        if clock.fits(stamp, now, now):
            assert clock.offset_us is not None
            times.append(stamp + clock.offset_us)
        else:
            times += [time for time, _ in clock.examine(stamp, "m", now, now)]
    assert clock.offset_us == 3 * S and len(times) == 40 and times[-1] == now


def test_few_forged_stamps_move_no_offset() -> None:
    clock: AgentClock[int] = AgentClock(BOUND)
    assert clock.fits(T0, T0, T0)
    for number in range(AGREEING - 1):
        assert not clock.fits(T0 + 3540 * S, T0, T0)
        assert clock.examine(T0 + 3540 * S, number, T0, T0) == []
    assert clock.fits(T0 + S, T0, T0 + S)
    assert (clock.offset_us, clock.unbelieved) == (0, AGREEING - 1)


def test_a_quiet_agent_with_a_wrong_clock_needs_two_messages() -> None:
    feed = Feed()
    feed.send(asked("1", T0 - 15 * S))
    feed.send(answered("1", T0 - 15 * S + 7 * MS))
    feed.wait(4 * S)
    feed.close()
    assert [row[COMPLETION] - row[START] for row in feed.rows] == [7 * MS]


@pytest.mark.parametrize(("gap_ms", "late_ms"), [(800, 50), (1500, 50), (3000, 200), (60_000, 390)])
def test_a_pause_does_not_shorten_the_wait(gap_ms: int, late_ms: int) -> None:
    feed = Feed()
    for number in range(5):
        at = feed.now_us
        feed.send(answered(str(number), at + 3 * MS))
        feed.wait(late_ms * MS, 10 * MS)
        feed.send(asked(str(number), at))
        feed.wait(gap_ms * MS, 200 * MS)
    feed.close()
    assert [row[STATUS] for row in feed.rows] == [200] * 5


def test_what_waited_in_the_socket_while_the_probe_was_busy_is_believed() -> None:
    feed = Feed()
    feed.send(asked("0", feed.now_us))
    feed.wait(S)
    for number in range(1, 6):
        feed.send(asked(str(number), feed.now_us + number * 10 * S))
        feed.send(answered(str(number), feed.now_us + number * 10 * S + 5 * MS))
    feed.now_us += 60 * S
    feed.wait(S)
    feed.close()
    assert Counter(row[STATUS] for row in feed.rows) == {200: 5, None: 1}
    assert not feed.probe.skipped[hep_source.UNBELIEVED]


def test_the_arrival_clock_is_set_back() -> None:
    feed = Feed()
    for number in range(20):
        if number == 10:
            feed.now_us -= 3600 * S
        feed.send(asked(str(number), feed.now_us))
        feed.send(answered(str(number), feed.now_us + MS))
        feed.listener.listen(0)
        feed.wait(600 * MS)
    feed.close()
    assert Counter(row[STATUS] for row in feed.rows) == {200: 20}
    assert feed.listener.set_back == 1


def test_strangers_do_not_evict_agents_that_report_a_node() -> None:
    table = AgentTable({NODE: "pcscf"}, BOUND, 180 * S)
    agent = table.get(("192.0.2.1", 1), T0)
    assert agent is not None
    agent.heard_us = T0
    packet = asked("1", T0)
    message = read_datagram(packet.payload, 0, len(packet.payload))
    assert message is not None
    table.receive(agent, HeardMessage(packet.timestamp, packet.leg, message), T0, T0)
    for number in range(2 * MAX_AGENTS):
        stranger = table.get(("192.0.2.2", number), T0 + number)
        assert stranger is not None
        stranger.heard_us = T0 + number
    assert len(list(table)) == MAX_AGENTS and agent in list(table)
    for other in table:
        other.spoke_us["pcscf"] = other.heard_us = T0 + S
    assert table.get(("192.0.2.3", 0), T0 + S) is None
    assert table.get(("192.0.2.3", 0), T0 + 200 * S) is not None


class Speakers:
    """A source of which only the agents' signs of life are known."""

    def __init__(self) -> None:
        self.alive_us = T0
        self.found: list[tuple[int, int]] = []

    def speakers(self, node: str) -> list[tuple[int, int]]:
        return self.found


def test_a_node_is_heard_while_an_agent_that_reports_it_lives() -> None:
    source = Speakers()
    hearing = Hearing(["p"], T0, 180 * S)

    def look(at: int, *found: tuple[int, int]) -> None:
        source.found = [(T0 + spoke * S, T0 + heard * S) for spoke, heard in found]
        source.alive_us = max([source.alive_us, *(heard for _, heard in source.found)])
        hearing.update([source], T0 + at * S, T0 + at * S)

    look(10, (10, 10))
    look(100, (10, 100))  # it lives, and the node is silent: heard
    assert hearing.decided_us == T0 + 100 * S
    look(279, (10, 100))
    assert hearing.decided_us == T0 + 100 * S and not hearing.unheard()
    look(281, (10, 100))
    assert hearing.unheard() == ["p"] and hearing.decided_us == T0 + 281 * S
    assert hearing.intervals(T0 + 281 * S) == [HeardInterval("p", T0, T0 + 100 * S)]
    look(400, (10, 100), (400, 400))
    assert hearing.intervals(T0 + 400 * S)[1:] == [HeardInterval("p", T0 + 281 * S, T0 + 400 * S)]
    look(600, (590, 600), (400, 400))
    look(1000, (990, 1000), (400, 400))
    # The other one reported the node long ago and lives, but would not report it now.
    look(1300, (990, 1000), (400, 1300))
    assert hearing.unheard() == ["p"]


def test_nothing_is_heard_if_no_agent_ever_spoke() -> None:
    source, hearing = Speakers(), Hearing(["p"], T0, 180 * S)
    hearing.update([source], T0 + 170 * S, T0 + 170 * S)
    assert hearing.decided_us == T0
    hearing.update([source], T0 + 190 * S, T0 + 190 * S)
    assert hearing.intervals(T0 + 190 * S) == [] and hearing.decided_us == T0 + 190 * S


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.lists(st.integers(1, 400), max_size=30))
def test_a_stream_is_divided_the_same_in_any_pieces(payloads: list[bytes], cuts: list[int]) -> None:
    packets = [encode(HepPacket(T0, NODE, PEER, 1, 2, 1, payload)) for payload in payloads]
    stream, framer, found = b"".join(packets), HepFramer(), []
    for cut in [*cuts, len(stream)]:
        piece, stream = stream[:cut], stream[cut:]
        more, sound = framer.feed(piece)
        assert sound
        found += more
    assert found == packets and not framer.held


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_in_a_stream_is_bounded(pieces: list[bytes]) -> None:
    framer = HepFramer()
    for piece in pieces:
        packets, sound = framer.feed(piece)
        assert framer.held < 65_536
        assert all(packet.startswith(b"HEP3") for packet in packets)
        if not sound:
            assert framer.held == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_packets_alter_nothing(data: st.DataObject) -> None:
    feed = Feed()
    wire = encode(asked("1", T0))
    for _ in range(data.draw(st.integers(1, 12))):
        mutated = bytearray(wire)
        for _ in range(data.draw(st.integers(1, 4))):
            mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(mutated)))
        feed.send(bytes(mutated[:cut]) if data.draw(st.booleans()) else bytes(mutated))
    feed.send(asked("good", feed.now_us))
    feed.send(answered("good", feed.now_us + MS))
    feed.wait(S)
    feed.close()
    assert any(row[STATUS] == 200 and row[COMPLETION] - row[START] == MS for row in feed.rows)


@pytest.mark.parametrize(
    ("options", "packet", "reason"),
    [
        (HepOptions(agents=parse_networks(["192.0.2.0/24"])), asked("1", T0), hep_source.NOT_LISTED),
        (HepOptions(key=b"right key"), asked("1", T0), hep_source.WRONG_KEY),
        (HepOptions(key=b"right key"), asked("1", T0)._replace(key=b"wrong key"), hep_source.WRONG_KEY),
        (HepOptions(key=b"right key"), asked("1", T0)._replace(key=b"right key"), None),
        (HepOptions(agents=parse_networks(["127.0.0.1"])), asked("1", T0), None),
    ],
)
def test_only_those_who_may_are_heard(options: HepOptions, packet: HepPacket, reason: str | None) -> None:
    feed = Feed(options)
    feed.send(packet)
    feed.wait(S)
    feed.close()
    assert len(feed.rows) == (reason is None)
    assert reason is None or feed.probe.skipped[reason] == 1


def test_beyond_loopback_a_list_or_a_key_is_needed() -> None:
    for text in ("0.0.0.0:9060", "tcp://192.0.2.1:9060", "[::]:9060"):
        with pytest.raises(UsageError, match="would let anyone who reaches it forge traffic"):
            HepSource([HepAddress.parse(text)])
        HepOptions(key=b"12345678").check(HepAddress.parse(text))
    for text in ("127.0.0.2:9060", "[::1]:9060", "localhost:9060"):
        HepOptions().check(HepAddress.parse(text))
    with pytest.raises(UsageError, match="needs a certificate"):
        HepOptions().check(HepAddress.parse("tls://127.0.0.1:9060"))


def test_lists_keys_and_addresses_are_checked(tmp_path: Path) -> None:
    for text in ("9060", "udp://:9060", "http://127.0.0.1:9060", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:９060"):
        with pytest.raises(UsageError, match="no HOST:PORT"):
            HepAddress.parse(text)
    with pytest.raises(UsageError, match="no such network"):
        parse_networks(["192.0.2.0/33"])
    (tmp_path / "key").write_text("short\n")
    with pytest.raises(UsageError, match="8 or more"):
        read_key(tmp_path / "key")
    access = HepAccess(HepOptions(agents=parse_networks(["192.0.2.0/24", "2001:db8::/32"])))
    assert [access.listed(a) for a in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1%eth0", "192.0.3.1")] == [
        True, True, True, False
    ]  # fmt: skip


RETRIES, ANSWER_RETRIES = (
    TRANSACTIONS.names.index("retransmissions"),
    TRANSACTIONS.names.index("response_retransmissions"),
)


@pytest.mark.parametrize(
    ("reports", "wanted"),
    [
        # (agent, offset in ms of its report of request and answer) …
        ([(1, 0), (2, 60)], (0, 0)),
        ([(1, 0), (2, 60), (3, 200)], (0, 0)),
        ([(1, 0), (2, 240)], (0, 0)),
        ([(1, 0), (2, 40), (1, 500), (2, 540)], (1, 1)),
        ([(1, 0), (1, 500), (2, 530)], (1, 1)),
        ([(1, 0), (2, 5)], (0, 0)),
    ],
)
def test_a_message_of_another_agent_is_a_copy(reports: list[tuple[int, int]], wanted: tuple[int, int]) -> None:
    feed = Feed()
    for agent, offset in reports:
        feed.send(asked("a", feed.now_us + offset * MS, agent))
        feed.send(answered("a", feed.now_us + offset * MS + 9 * MS, agent))
    feed.wait(S)
    feed.close()
    assert [(row[RETRIES], row[ANSWER_RETRIES]) for row in feed.rows] == [wanted]


@pytest.mark.parametrize(("apart_us", "wanted"), [(100, 0), (5 * MS, 1), (19 * MS, 1), (100 * MS, 1)])
def test_an_answer_that_an_agent_reports_again_was_sent_again(apart_us: int, wanted: int) -> None:
    """But for one that is traced twice at once."""
    feed = Feed()
    feed.send(asked("a", feed.now_us, 1))
    feed.send(answered("a", feed.now_us + 9 * MS, 1))
    feed.send(answered("a", feed.now_us + 9 * MS + apart_us, 1))
    feed.wait(S)
    feed.close()
    assert [(row[RETRIES], row[ANSWER_RETRIES]) for row in feed.rows] == [(0, wanted)]
