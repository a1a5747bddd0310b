"""Signatures: what a fault sets in the features stands out in them, and in nothing else."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import SIGNS, labels, minutes

from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint_lab.signatures import compare, table

Tables = tuple[pl.DataFrame, pl.DataFrame]


def test_what_a_fault_sets_is_what_its_signature_tells(learnt: Tables, met: Tables) -> None:
    found = {one.condition: one for one in compare(learnt, met, SIP_CATALOGUE)}
    assert [*found] == ["bye-slow", "register-timeouts"]  # faults that both have
    for name, one in found.items():
        assert {feature for feature, _, _ in one.strongest} == {*SIGNS[name]}
        assert one.cosine > 0.85 and not one.only_here and not one.only_there
        # Where there is one episode, it is the nearest; of several, the nearest is at least as near as their middle.
        assert one.nearest == one.cosine if one.episodes[1] == 1 else one.nearest > 0.85
        assert all(here * there > 0 for _, here, there in one.strongest)
    assert found["bye-slow"].episodes == (4, 1)


def test_a_fault_that_looks_otherwise_is_told_apart(learnt: Tables) -> None:
    """The same name on another network, where it sets other features."""
    struck = minutes("omega-1", 520, [(200, 240, "bye-slow")], seed=9)
    said = labels("omega-1", 520, [(200, 240, "invite-errors")])
    (one,) = compare(learnt, (struck, said), SIP_CATALOGUE)
    assert one.condition == "invite-errors" and abs(one.cosine) < 0.5
    assert {feature for feature, _, _ in one.only_here} == {*SIGNS["invite-errors"]}
    assert {feature for feature, _, _ in one.only_there} == {*SIGNS["bye-slow"]}
    assert "in.bye.delay_median" in table([one])[2]


def test_other_columns_are_refused(learnt: Tables) -> None:
    with pytest.raises(TableError):
        compare((learnt[0].drop("node.ser"), learnt[1]), learnt, SIP_CATALOGUE)
