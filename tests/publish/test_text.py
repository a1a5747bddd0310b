from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.publish.text import camel_case, clean, finite_or_none, rfc3339, round_float32, to_json, token

from .strategies import texts


@given(texts, st.integers(1, 300))
def test_the_result_is_one_bounded_printable_line(text: str, limit: int) -> None:
    for result in (clean(text, limit), token(text, limit), camel_case(text, limit)):
        assert result.isprintable()
        result.encode()
    assert len(clean(text, limit)) <= limit
    assert clean(clean(text, limit), limit) == clean(text, limit)
    assert token(text, limit) and not any(character.isspace() for character in token(text, limit))
    assert camel_case(text, limit).isalnum()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("hss-link-down", "hss-link-down"),
        (" a\r\n\tb  c ", "a b c"),
        ("\x1b[31mred", "[31mred"),
        ("‮gnp.exe", "gnp.exe"),
        ("Überlast in Köln", "Überlast in Köln"),
        ("x" * 9, "xxxx…"),
        ("xxxxx", "xxxxx"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text, 5 if text.startswith("x") else 100) == cleaned


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hss-link-down", "HssLinkDown"),
        ("HSS link_down", "HSSLinkDown"),
        ("", "Unnamed"),
        ("--", "Unnamed"),
    ],
)
def test_camel_case(text: str, name: str) -> None:
    assert camel_case(text) == name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1", True, 10**400])
def test_values_that_are_not_finite_numbers(value: object) -> None:
    assert finite_or_none(value) is None


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float(np.float32(0.1)), "0.1"),
        (np.float32(0.1), "0.1"),
        (16_777_215.0, "16777215"),
        (-0.25, "-0.25"),
        (1e300, "1e+300"),
        (0, "0"),
    ],
)
def test_numbers_have_no_more_digits_than_float32(value: object, written: str) -> None:
    number = finite_or_none(value)
    assert number is not None
    assert json.dumps(round_float32(number)) == written


def test_times() -> None:
    assert rfc3339(1_767_604_200_000_000) == "2026-01-05T09:10:00Z"
    assert rfc3339(1) == "1970-01-01T00:00:00.000001Z"


def test_json_is_ascii_and_has_no_nan() -> None:
    assert to_json({"a": "ü\u2028"}) == b'{"a":"\\u00fc\\u2028"}'
    with pytest.raises(ValueError, match="Out of range"):
        to_json({"a": math.nan})
