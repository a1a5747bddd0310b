"""A copy of a message is recognised on the same leg: within 20 ms, and within 250 ms if its origin shows it."""

from __future__ import annotations

import pytest

from faultprint.probe.transactions.duplicates import SOURCE_SHIFT, WINDOW_US, DuplicateFilter

LEG, OTHER_LEG, TEXT = b"leg", b"other leg", b"OPTIONS"


@pytest.mark.parametrize("start", [0, 1_700_000_000_000_000])
@pytest.mark.parametrize(("later", "duplicate"), [(0, True), (WINDOW_US - 1, True), (WINDOW_US, False)])
def test_a_copy_comes_within_the_window(start: int, later: int, duplicate: bool) -> None:
    duplicates = DuplicateFilter()
    assert not duplicates.is_duplicate(start, LEG, TEXT)
    assert duplicates.is_duplicate(start + later, LEG, TEXT) == duplicate
    assert not duplicates.is_duplicate(start + later, OTHER_LEG, TEXT)


ONE, TWO = 1 << SOURCE_SHIFT, 2 << SOURCE_SHIFT
ORIGINS = {
    # name: (ms, origin) of each report, and which of them are copies
    "one packet at both ends of a hop": ([(0, 7), (60, 7)], [False, True]),
    "sent twice": ([(0, 7), (3, 8)], [False, False]),
    "sent twice and seen at both ends": ([(0, 7), (3, 8), (60, 7), (63, 8)], [False, False, True, True]),
    "sent again with the same identification": ([(0, 7), (250, 7)], [False, False]),
    "two agents": ([(0, ONE), (60, TWO)], [False, True]),
    "two agents, sent twice": ([(0, ONE), (100, ONE), (120, TWO), (200, TWO)], [False, False, True, True]),
    "one agent": ([(0, ONE), (19, ONE), (60, ONE)], [False, True, False]),
    "one interface without identification": ([(0, 0), (60, 0)], [False, False]),
    "chains of copies": ([(0, 7), (200, 7), (400, 7)], [False, True, True]),
}


@pytest.mark.parametrize("name", ORIGINS)
def test_the_origin_tells_a_copy_from_a_message_sent_again(name: str) -> None:
    reports, copies = ORIGINS[name]
    duplicates = DuplicateFilter()
    assert [duplicates.is_duplicate(at * 1000, LEG, TEXT, origin) for at, origin in reports] == copies
