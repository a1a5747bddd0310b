"""Nothing that names a subscriber leaves the probe; the same subscriber has the same hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from captures import KEY, MS, PCSCF, UE, frames, pcap, probe, request, response

from faultprint.errors import UsageError
from faultprint.probe.privacy.pseudonyms import Hasher, normalize_user, uri_of

SECRETS = [
    "4930123456789",
    "001010123456789",
    "alice.wonder",
    "ims.mnc001.mcc001.3gppnetwork.org",
    "secret-call-id-77",
    UE,
    "mytag99",
]


def test_no_identity_leaves_the_probe(tmp_path: Path) -> None:
    messages = []
    for number, user in enumerate(["+4930123456789", "001010123456789", "alice.wonder"]):
        text = request(
            ("REGISTER", "INVITE", "MESSAGE")[number],
            user=user,
            to="+4930123456789",
            via=[f"{UE}:5060;branch=z9hG4bK{number}"],
            call=f"secret-call-id-77-{number}",
            headers=[
                "Contact: <sip:001010123456789@10.8.0.1>;expires=77",
                "P-Preferred-Identity: <tel:+4930123456789>",
            ],
        )
        text = text.replace(b"ims.example.org", b"ims.mnc001.mcc001.3gppnetwork.org").replace(b"tag=f1", b"tag=mytag99")
        messages += [(number * 10 * MS, UE, PCSCF, text), (number * 10 * MS + MS, PCSCF, UE, response(200, text))]
    got = probe(tmp_path, pcap(frames(messages)))
    assert got.report.transactions == 3
    everything = (
        got.raw.decode("latin-1") + str(got.table.rows()) + json.dumps(got.report.as_dict()) + str(got.metadata)
    )
    for secret in SECRETS:
        assert secret not in everything
    # Compressed pages hide text: look at the values themselves.
    words = {str(value) for row in got.table.rows() for value in row}
    assert not any(secret in word for secret in SECRETS for word in words)


@pytest.mark.parametrize(
    ("address", "user"),
    [
        (b'"Alice" <sip:alice@Example.COM:5060;user=phone>;tag=1', b"alice@example.com"),
        (b"sip:alice@example.com;tag=1", b"alice@example.com"),
        (b"<sips:alice:password@example.com?subject=x>", b"alice@example.com"),
        (b"<sip:%61lice@example.com>", b"alice@example.com"),
        (b"<sip:Alice@example.com>", b"Alice@example.com"),
        (b"<sip:+49-30-123@ims.example.com;user=phone>", b"+4930123"),
        (b"<sip:+4930123;phone-context=x@ims.example.com>", b"+4930123"),
        (b"<tel:+49-30-(123)>;tag=2", b"+4930123"),
        (b"<tel:123;phone-context=Example.com>", b"123;phone-context=example.com"),
        (b"<tel:1-2-3;ext=4;Phone-Context=+1(202)>", b"123;phone-context=+1202"),
        (b"<tel:123>", b"123"),
        (b"<sip:123;phone-context=+1-202@ims.example.com;user=phone>", b"123;phone-context=+1202"),
        (b"<sip:123;phone-context=+1202@ims.example.com>", b"123;phone-context=+1202@ims.example.com"),
        (b"<tel:+49-30;phone-context=example.com>", b"+4930"),
        (b"<sip:alice@[2001:DB8::1]:5060>", b"alice@[2001:db8::1]"),
        (b"<sip:example.com>", b"@example.com"),
        (b"<urn:service:sos>", b"urn:service:sos"),
        (b'"a <b>" <sip:c@d>', b"c@d"),
        (b"<>", b""),
    ],
)
def test_one_spelling_for_one_subscriber(address: bytes, user: bytes) -> None:
    assert normalize_user(uri_of(address)) == user


def test_hashes_are_keyed_blake2b(tmp_path: Path) -> None:
    text = request("OPTIONS")
    got = probe(tmp_path, pcap(frames([(0, UE, PCSCF, text)])))
    wanted = hashlib.blake2b(b"user\0alice@ims.example.org", digest_size=8, key=KEY).digest()
    assert got.column("user") == [int.from_bytes(wanted, "big")]
    other = Hasher(b"another key of the same length..")
    assert other.user(b"<sip:alice@ims.example.org>") != got.column("user")[0]
    assert other.call(b"call-1") != got.column("dialog")[0]


def test_a_register_counts_for_whom_it_registers(tmp_path: Path) -> None:
    text = request("REGISTER", user="assistant", to="alice")
    got = probe(tmp_path, pcap(frames([(0, UE, PCSCF, text)])))
    assert got.column("user") == [Hasher(KEY).user(b"<sip:alice@ims.example.org>")]


def test_keys() -> None:
    for size in (0, 15, 65):
        with pytest.raises(UsageError, match=f"{size} bytes"):
            Hasher(bytes(size))
    assert Hasher(bytes(16)).user(b"<>") is None
