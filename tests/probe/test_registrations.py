"""Bindings are by subscriber and contact (RFC 3261, 10; RFC 5626, 6; TS 24.229, 5.1.6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import MS, PCSCF, UE, S, frames, pcap, probe, request, response

from faultprint.probe.messages.contact import MAX_CONTACTS, contacts

INITIAL, REFRESH, LEAVES = "REGISTER.initial", "REGISTER.refresh", "REGISTER.deregistration"
A, B = "<sip:u@10.8.0.1>", "<sip:u@10.8.0.2>"
FLOW = ';+sip.instance="<urn:uuid:1>";reg-id='

Step = tuple[str | None, str, str]
"""Contact asked for, contacts granted, what it is."""
CASES: dict[str, list[Step]] = {
    "a fetch": [(None, "", "other"), (A, A, INITIAL), (None, A, "other"), (A, A, REFRESH)],
    "two devices": [(A, A, INITIAL), (B, f"{A}, {B}", INITIAL), (f"{B};expires=0", A, LEAVES), (A, A, REFRESH), (B, B, INITIAL)],
    "two devices, silent registrar": [(A, "", INITIAL), (B, "", INITIAL), (f"{B};expires=0", "", LEAVES), (A, "", REFRESH)],
    "all leave": [(A, A, INITIAL), (B, f"{A},{B}", INITIAL), ("*", "", LEAVES), (A, A, INITIAL)],
    "the registrar dropped one": [(A, A, INITIAL), (B, B, INITIAL), (A, f"{A},{B}", INITIAL), (B, B, REFRESH)],
    "a device moves": [(A, A, INITIAL), (f"{A};expires=0,{B}", B, INITIAL), (B, B, REFRESH), (A, A, INITIAL)],
    "two contacts at once": [(f"{A}, {B}", f"{A}, {B}", INITIAL), (f"{A}, {B}", f"{A}, {B}", REFRESH)],
    "emergency": [
        (A, A, INITIAL), ("<sip:u@10.8.0.1;sos>", "<sip:u@10.8.0.1;SOS>", INITIAL), (A, A, REFRESH),
        ("<sip:u@10.8.0.1;sos>", "", REFRESH), ("*", "", LEAVES), ("<sip:u@10.8.0.1;sos>", "", REFRESH),
    ],
    "a flow moves": [(A + FLOW + "1", "", INITIAL), (B + FLOW + "1", "", REFRESH), (B + FLOW + "2", "", INITIAL)],
    "one URI in many spellings": [
        ("<sip:%75@Host:5060;transport=TCP;lr>", "", INITIAL), ('"U, <u>" <SIP:u@hOST:5060;Transport=tcp>;q=0.5', "", REFRESH),
        ("<sip:u@host:5060>", "", INITIAL), ("<sip:u@host;transport=tcp>", "", INITIAL), ("<sip:U@host:5060>", "", INITIAL),
    ],
    "without brackets": [("sip:u@10.8.0.1;expires=600", "", INITIAL), (A, A, REFRESH)],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_contact_is_a_binding(tmp_path: Path, name: str) -> None:
    messages = []
    for number, (asked, granted, _) in enumerate(CASES[name]):
        headers = ["Expires: 600"] + ([f"Contact: {asked}"] if asked else [])
        if asked == "*":
            headers[0] = "Expires: 0"
        text = request(cseq=number + 1, via=[f"10.8.0.1:5060;branch=z9hG4bK{number}"], headers=headers)
        answer = response(200, text, headers=[f"Contact: {granted}"] if granted else [])
        messages += [(number * S, UE, PCSCF, text), (number * S + MS, PCSCF, UE, answer)]
    got = probe(tmp_path, pcap(frames(messages)))
    assert got.column("method") == [kind for *_, kind in CASES[name]]


@pytest.mark.parametrize(
    "hostile",
    [b"<" * 60_000, b'"' * 60_000, b"," * 60_000, b"<sip:a@b>," * 9_000, b"sip:" + b";a" * 30_000, b'"\\' * 9_000],
)
def test_hostile_contacts_are_bounded(hostile: bytes) -> None:
    assert len(contacts([hostile])) <= MAX_CONTACTS
