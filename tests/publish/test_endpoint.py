from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultprint.errors import UsageError
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.endpoint import BasicAuth, ClientCertificate, Endpoint

from .conftest import Pki

NOWHERE = Path("/nowhere.pem")


@pytest.mark.parametrize(
    ("url", "settings", "rule"),
    [
        ("ftp://a", {}, "not an http"),
        ("collector:8443", {}, "not an http"),
        ("http://", {}, "not an http"),
        ("http://a:99999", {}, "not a valid URL"),
        ("http://[::1", {}, "not a valid URL"),
        ("http://u:geheim@a/", {}, "credentials"),
        ("ftp://a/?token=geheim", {}, "not an http"),
        ("http://a/?token=geheim", {"basic": BasicAuth("u", "p")}, "unencrypted"),
        ("http://a/#x", {}, "fragment"),
        ("http://u:p?geheim@a/", {}, "not a valid URL"),
        ("http://u:geheim", {}, "not a valid URL"),
        ("ftp://a/?t=x@geheim", {}, "not an http"),
        ("http://a/b c", {}, "spaces"),
        ("http://a/\r\nHost: b", {}, "spaces"),
        ("http://ä/", {}, "ASCII"),
        ("http://a", {"timeout_s": 0.0}, "timeout"),
        ("http://a", {"timeout_s": float("nan")}, "timeout"),
        ("http://a", {"timeout_s": float("inf")}, "timeout"),
        ("http://a", {"max_response_bytes": -1}, "response"),
        ("http://a", {"basic": BasicAuth("u", "geheim")}, "unencrypted"),
        ("http://a", {"ca_file": NOWHERE}, "need https"),
        ("https://a", {"ca_file": NOWHERE}, "cannot be used"),
        ("https://a", {"certificate": ClientCertificate(NOWHERE, NOWHERE)}, "cannot be used"),
        ("https://a", {"basic": BasicAuth("u:v", "geheim")}, "colon"),
        ("https://a", {"headers": {"X-A": "b\r\nX-C: d"}}, "X-A"),
        ("https://a", {"headers": {"X A": "b"}}, "X A"),
    ],
)
def test_an_invalid_endpoint_is_refused_at_once(url: str, settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(UsageError, match=rule) as error:
        Endpoint(url, **settings)
    assert "geheim" not in str(error.value)


def test_a_password_is_allowed_over_safe_connections_and_on_request() -> None:
    basic = BasicAuth("u", "geheim")
    for endpoint in (
        Endpoint("http://127.0.0.1:80", basic),
        Endpoint("http://[::1]/", basic),
        Endpoint("https://a", basic),
        Endpoint("http://a", basic, allow_plaintext_password=True),
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
    assert (endpoint.host, endpoint.port, endpoint.request_target("/p")) == (host, port, target)
    assert endpoint.fixed_headers()["Host"] == header
    assert Endpoint("http://a").request_target("") == "/"


def test_the_url_of_a_webhook_is_unchanged_and_not_printed() -> None:
    endpoint = Endpoint("https://a/hook/?token=geheim")
    assert endpoint.request_target("") == "/hook/?token=geheim"
    assert endpoint.request_target("/p") == "/hook/p?token=geheim"
    assert "geheim" not in repr(endpoint)


def test_a_key_that_does_not_match_or_has_another_password_is_refused(pki: Pki) -> None:
    for chain, key, password in (
        ("client.pem", "server.key", ""),
        ("client.pem", "locked.key", ""),
        ("client.pem", "locked.key", "wrong"),
        ("client.key", "client.key", ""),
    ):
        with pytest.raises(UsageError, match="cannot be used"):
            Endpoint("https://a", certificate=ClientCertificate(pki.file(chain), pki.file(key), password))


@pytest.mark.parametrize("values", [(0, 1, 1), (1, -1, 1), (1, 2, 1), (1, 1, float("inf")), (1, float("nan"), 1)])
def test_an_impossible_back_off_is_refused(values: tuple[int, float, float]) -> None:
    with pytest.raises(UsageError, match="attempts"):
        Backoff(*values)


def test_pauses_grow_and_stay_bounded() -> None:
    rng, backoff = np.random.default_rng(1), Backoff(initial_s=1.0, max_s=60.0)
    highest = [max(backoff.pause(retry, rng) for _ in range(300)) for retry in range(1, 9)]
    for longest, limit in zip(highest, (1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert 0.9 * limit < longest <= limit
    assert backoff.pause(10_000, rng) <= 60.0
    assert backoff.pause(1, rng, retry_after_s=1e9) == 60.0
