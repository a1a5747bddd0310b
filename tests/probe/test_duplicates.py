"""A copy of a message is recognised within 20 ms on the same leg."""

from __future__ import annotations

import pytest

from faultprint.probe.transactions.duplicates import WINDOW_US, DuplicateFilter

LEG, OTHER_LEG, TEXT = b"leg", b"other leg", b"OPTIONS"


@pytest.mark.parametrize("start", [0, 1_700_000_000_000_000])
@pytest.mark.parametrize(("later", "duplicate"), [(0, True), (WINDOW_US - 1, True), (WINDOW_US, False)])
def test_a_copy_comes_within_the_window(start: int, later: int, duplicate: bool) -> None:
    duplicates = DuplicateFilter()
    assert not duplicates.is_duplicate(start, LEG, TEXT)
    assert duplicates.is_duplicate(start + later, LEG, TEXT) == duplicate
    assert not duplicates.is_duplicate(start + later, OTHER_LEG, TEXT)
