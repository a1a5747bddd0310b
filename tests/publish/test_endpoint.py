from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultprint.errors import UsageError
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.endpoint import Basic, Certificate, Endpoint

from .conftest import Pki

NOWHERE = Path("/nowhere.pem")


@pytest.mark.parametrize(
    ("url", "more", "rule"),
    [
        ("ftp://a", {}, "no http"),
        ("collector:8443", {}, "no http"),
        ("http://", {}, "no http"),
        ("http://a:99999", {}, "no address"),
        ("http://[::1", {}, "no address"),
        ("http://u:geheim@a/", {}, "credentials"),
        ("ftp://a/?token=geheim", {}, "no http"),
        ("http://a/?token=geheim", {"basic": Basic("u", "p")}, "in the clear"),
        ("http://a/#x", {}, "fragment"),
        ("http://u:p?geheim@a/", {}, "no address"),
        ("http://u:geheim", {}, "no address"),
        ("ftp://a/?t=x@geheim", {}, "no http"),
        ("http://a/b c", {}, "spaces"),
        ("http://a/\r\nHost: b", {}, "spaces"),
        ("http://ä/", {}, "ASCII"),
        ("http://a", {"timeout_s": 0.0}, "time-out"),
        ("http://a", {"timeout_s": float("nan")}, "time-out"),
        ("http://a", {"timeout_s": float("inf")}, "time-out"),
        ("http://a", {"answer_bytes": -1}, "answer"),
        ("http://a", {"basic": Basic("u", "geheim")}, "in the clear"),
        ("http://a", {"authorities": NOWHERE}, "need https"),
        ("https://a", {"authorities": NOWHERE}, "cannot be used"),
        ("https://a", {"certificate": Certificate(NOWHERE, NOWHERE)}, "cannot be used"),
        ("https://a", {"basic": Basic("u:v", "geheim")}, "colon"),
        ("https://a", {"headers": {"X-A": "b\r\nX-C: d"}}, "X-A"),
        ("https://a", {"headers": {"X A": "b"}}, "X A"),
    ],
)
def test_what_cannot_be_posted_to_is_refused_at_once(url: str, more: dict[str, Any], rule: str) -> None:
    with pytest.raises(UsageError, match=rule) as refusal:
        Endpoint(url, **more)
    assert "geheim" not in str(refusal.value)


def test_a_password_may_pass_where_it_is_safe_or_wanted() -> None:
    basic = Basic("u", "geheim")
    for endpoint in (
        Endpoint("http://127.0.0.1:80", basic),
        Endpoint("http://[::1]/", basic),
        Endpoint("https://a", basic),
        Endpoint("http://a", basic, plain_password=True),
    ):
        assert endpoint.fixed_headers()["Authorization"] == "Basic dTpnZWhlaW0="
        assert "geheim" not in repr(endpoint)


@pytest.mark.parametrize(
    ("url", "host", "port", "header", "target"),
    [
        ("http://a", "a", 80, "a", "/p"),
        ("https://a/", "a", 443, "a", "/p"),
        ("https://a:8443/b/c/", "a", 8443, "a:8443", "/b/c/p"),
        ("http://[::1]:8080/b", "::1", 8080, "[::1]:8080", "/b/p"),
    ],
)
def test_addresses(url: str, host: str, port: int, header: str, target: str) -> None:
    endpoint = Endpoint(url)
    assert (endpoint.host, endpoint.port, endpoint.target("/p")) == (host, port, target)
    assert endpoint.fixed_headers()["Host"] == header
    assert Endpoint("http://a").target("") == "/"


def test_a_webhook_s_address_stays_as_it_is_and_does_not_show() -> None:
    endpoint = Endpoint("https://a/hook/?token=geheim")
    assert endpoint.target("") == "/hook/?token=geheim"
    assert endpoint.target("/p") == "/hook/p?token=geheim"
    assert "geheim" not in repr(endpoint)


def test_a_key_that_does_not_fit_or_has_another_password_is_refused(pki: Pki) -> None:
    for chain, key, password in (
        ("client.pem", "server.key", ""),
        ("client.pem", "locked.key", ""),
        ("client.pem", "locked.key", "wrong"),
        ("client.key", "client.key", ""),
    ):
        with pytest.raises(UsageError, match="cannot be used"):
            Endpoint("https://a", certificate=Certificate(pki.file(chain), pki.file(key), password))


@pytest.mark.parametrize("values", [(0, 1, 1), (1, -1, 1), (1, 2, 1), (1, 1, float("inf")), (1, float("nan"), 1)])
def test_a_back_off_that_is_none_is_refused(values: tuple[int, float, float]) -> None:
    with pytest.raises(UsageError, match="attempts"):
        Backoff(*values)


def test_pauses_grow_and_stay_bounded() -> None:
    rng, backoff = np.random.default_rng(1), Backoff(first_s=1.0, longest_s=60.0)
    highest = [max(backoff.pause(retry, rng) for _ in range(300)) for retry in range(1, 9)]
    for found, most in zip(highest, (1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert 0.9 * most < found <= most
    assert backoff.pause(10_000, rng) <= 60.0
    assert backoff.pause(1, rng, asked_s=1e9) == 60.0
