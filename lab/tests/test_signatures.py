"""Signatures: the features that a fault changes, and no others."""

from __future__ import annotations

import polars as pl
import pytest
from tests.synthetic import SIGNATURES, labels, minutes

from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint_lab.signatures import compare, markdown_table

Tables = tuple[pl.DataFrame, pl.DataFrame]


def test_a_signature_has_the_features_that_the_fault_changes(known_networks: Tables, new_network: Tables) -> None:
    faults = {fault.condition: fault for fault in compare(known_networks, new_network, SIP_CATALOGUE)}
    assert [*faults] == ["bye-slow", "register-timeouts"]  # faults that both have
    for name, fault in faults.items():
        assert {feature for feature, _, _ in fault.strongest} == {*SIGNATURES[name]}
        assert fault.cosine > 0.85 and not fault.only_here and not fault.only_there
        # A single episode is the nearest; of several, the nearest is at least as near as their median.
        assert fault.nearest == fault.cosine if fault.episodes[1] == 1 else fault.nearest > 0.85
        assert all(here * there > 0 for _, here, there in fault.strongest)
    assert faults["bye-slow"].episodes == (4, 1)


def test_a_fault_with_other_features_is_not_similar(known_networks: Tables) -> None:
    """The same name on another network, where the fault changes other features."""
    faulty = minutes("omega-1", 520, [(200, 240, "bye-slow")], seed=9)
    renamed = labels("omega-1", 520, [(200, 240, "invite-errors")])
    (fault,) = compare(known_networks, (faulty, renamed), SIP_CATALOGUE)
    assert fault.condition == "invite-errors" and abs(fault.cosine) < 0.5
    assert {feature for feature, _, _ in fault.only_here} == {*SIGNATURES["invite-errors"]}
    assert {feature for feature, _, _ in fault.only_there} == {*SIGNATURES["bye-slow"]}
    assert "in.bye.delay_median" in markdown_table([fault])[2]


def test_other_columns_are_refused(known_networks: Tables) -> None:
    with pytest.raises(TableError):
        compare((known_networks[0].drop("node.ser"), known_networks[1]), known_networks, SIP_CATALOGUE)
