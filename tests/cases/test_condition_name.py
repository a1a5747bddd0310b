"""Names of conditions: one spelling each, visible, and none that could be taken for a word of Faultprint."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.condition_name import check_condition
from faultprint.display import visible
from faultprint.errors import LibraryError
from faultprint.tables import NORMAL, RESERVED_CONDITIONS

CYRILLIC = ["normаl", "nоrmal", "unkпown", "recоvery", "wаrming-up", "mаintenance", "nо-traffic", "ΝΟRMΑL"]
GREEK = ["nοrmal", "Unknοwn", "ωarming-up"]
OTHER_SCRIPTS = ["ⲛormal", "ռormal", "ɴᴏʀᴍᴀʟ", "ｎｏｒｍａｌ"]
ACCENTS = ["nörmal", "normaĺ", "ünknown"]
DIGITS = ["norma1", "n0rmal", "norrnal"]
SIGNS = ["n.o.r.m.a.l", "nor-mal", "n o r m a l", "warming_up", "warming.up", "warming up", "Warming  Up", "no–traffic"]
CASE = ["NORMAL", "Normal", "Recovery", "MAINTENANCE"]


@pytest.mark.parametrize("name", [*CYRILLIC, *GREEK, *OTHER_SCRIPTS, *ACCENTS, *DIGITS, *SIGNS, *CASE])
def test_a_look_alike_of_a_reserved_word_is_refused(name: str) -> None:
    with pytest.raises(LibraryError, match="cannot name a condition"):
        check_condition(name)


@pytest.mark.parametrize("word", sorted({NORMAL, *RESERVED_CONDITIONS}))
@pytest.mark.parametrize(
    "hidden", "\u200b\u200d\u2060\ufeff\u202e\u2066\u00ad\u034f\ufe0f\u3164\u2800\0\x1b\x7f\x85\x9b\u2028"
)
def test_a_name_with_a_character_that_is_not_seen_is_refused(word: str, hidden: str) -> None:
    for name in (word[:3] + hidden + word[3:], hidden + word, word + hidden, f"link{hidden}down"):
        with pytest.raises(LibraryError, match="cannot name a condition") as caught:
            check_condition(name)
        assert visible(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["normal", "hss-link-down", "abnormal", "normal-2", "recovery-late", "отказ HSS", "Überlast", "回線断", "α-rise"],
)
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert check_condition(name) == unicodedata.normalize("NFKC", name) == name


def test_two_spellings_are_one_name() -> None:
    assert check_condition("U\u0308berlast") == check_condition("\u00dcberlast") == "\u00dcberlast"
    assert check_condition("\uff28\uff33\uff33 down") == "HSS down"


@given(st.text(max_size=250))
def test_a_name_is_folded_visible_and_bounded_or_refused(name: str) -> None:
    try:
        folded = check_condition(name)
    except LibraryError as error:
        assert visible(str(error)) == str(error)
        return
    assert folded == check_condition(folded) and folded.isprintable() and 1 <= len(folded) <= 200
