"""Evidence in words: every feature of the catalogue has a sentence, with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.wording import evidence_in_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "in.register_initial.timeout_share +0.43 (normal 0.01)",
            "Initial registrations not answered or answered 408: 44 %, usually 1 %",
        ),
        ("out.invite.delay_p95 +2.10 (normal 0.07)", "Calls sent on answered within, 95 of 100: 2.2 s, usually 70 ms"),
        ("in.bye.attempts -120 (normal 1400)", "BYEs received a minute: 1,280, usually 1,400"),
        ("node.ser -0.52 (normal 0.60)", "Calls answered (SER): 8 %, usually 60 %"),
        ("node.sdt_mean +30 (normal 150)", "Length of calls, mean (SDT): 3 min, usually 2.5 min"),
        ("in.bye.server_error_share -0.02 (normal 0.01)", "BYEs received failed with 5xx: 0 %, usually 1 %"),
        ("cpu.load +3.1 (normal 0.4)", "cpu.load: 3.5, usually 0.4"),
        ("temperature -7 (normal -3)", "temperature: -10, usually -3"),
        ("the baseline has too many gaps", "the baseline has too many gaps"),
    ],
)
def test_a_line_becomes_a_sentence(line: str, words: str) -> None:
    assert evidence_in_words(line) == words


@given(st.sampled_from(SIP_CATALOGUE.names), st.floats(-100, 100), st.floats(0, 100))
def test_every_feature_has_words_and_no_name_of_a_column(name: str, change: float, usual: float) -> None:
    words = evidence_in_words(f"{name} {change:+.2f} (normal {usual:.2f})")
    assert name not in words and "usually" in words and "_" not in words
