"""More unanswered requests than the memory holds are still counted rightly."""

from __future__ import annotations

from collections import Counter

import pytest
from captures import KEY, MS, PCSCF, T0, S, request

from faultprint.probe.messages.sip import read_datagram
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.closed import KEPT_US, ClosedTransactions
from faultprint.probe.transactions.interfaces import PeerInterfaces
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import WatchedNodes, parse_endpoint
from faultprint.probe.transactions.sip import SipTracker


@pytest.mark.parametrize("again", [4 * S, 500 * MS])
def test_what_left_the_memory_is_a_retransmission_when_it_comes_again(again: int) -> None:
    watched, rows, skipped = WatchedNodes({"p": [parse_endpoint(PCSCF)]}), 0, Counter[str]()

    def emit(row: object) -> None:
        nonlocal rows
        rows += 1

    hasher = Hasher(KEY)
    taken = SipTracker(watched, "lab", hasher, MethodClassifier(hasher, PeerInterfaces(watched)), emit, skipped)
    wire = parse_endpoint("10.8.0.1") + parse_endpoint(PCSCF) + b"\x13\xc4\x13\xc4"
    count = 16_000
    for start in (0, again):
        for number in range(count):
            text = request("OPTIONS", via=[f"10.8.0.1;branch=z9hG4bK{number}"], call=f"c{number}")
            message = read_datagram(text, 0, len(text))
            assert message is not None
            taken.take(T0 + start + number * 60, wire, message)
    taken.close()
    assert (rows, taken.retransmissions) == (count, count)


def test_fingerprints_are_kept_as_long_as_requests_are_sent_again() -> None:
    closed = ClosedTransactions()
    assert not closed
    keys = [hash(str(number)) for number in range(150_000)]
    for number, key in enumerate(keys):
        closed.add(T0 + number, key)
    assert all(key in closed for key in keys[-65_536:])
    assert not any(key + 1 in closed for key in keys[-1000:])
    closed.expire(T0 + KEPT_US)
    assert keys[-1] in closed
    closed.expire(T0 + 3 * KEPT_US)
    assert not closed
    assert keys[-1] not in closed
