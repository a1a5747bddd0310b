"""The HSS answers Cx requests according to TS 29.228."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

from faultprint.probe.messages.dictionary import ApplicationId, AvpCode, CommandCode, ResultCode
from faultprint_lab.testbed.protocols.diameter import DiameterPdu, avp
from faultprint_lab.testbed.servers.hss import Hss, ha1, password


def _hss(served: bool = False) -> Hss:
    return Hss("ims.test", "sip:scscf.ims.test:5060", "sip:as:5060", lambda user: user != "unknown", lambda _: served)


def _ask(hss: Hss, command: CommandCode, user: str = "user1", *extra: object) -> DiameterPdu:
    avps = (avp(AvpCode.PUBLIC_IDENTITY, f"sip:{user}@ims.test"), *extra)
    request = DiameterPdu(command, ApplicationId.CX, True, 1, 1, avps)  # type: ignore[arg-type]
    return request.answer(*hss.answer(request))


def _experimental(answer: DiameterPdu) -> int:
    group = answer.first(AvpCode.EXPERIMENTAL_RESULT)
    assert group is not None
    return group.group[1].number


def test_a_registration_is_kept_until_deregistration() -> None:
    hss = _hss()
    assert _experimental(_ask(hss, CommandCode.USER_AUTHORIZATION)) == ResultCode.FIRST_REGISTRATION
    assert _experimental(_ask(hss, CommandCode.LOCATION_INFO)) == ResultCode.IDENTITY_NOT_REGISTERED
    _ask(hss, CommandCode.SERVER_ASSIGNMENT, "user1", avp(AvpCode.SERVER_ASSIGNMENT_TYPE, 1))
    assert _experimental(_ask(hss, CommandCode.USER_AUTHORIZATION)) == ResultCode.SUBSEQUENT_REGISTRATION
    assert _ask(hss, CommandCode.LOCATION_INFO).text(AvpCode.SERVER_NAME) == "sip:scscf.ims.test:5060"
    _ask(hss, CommandCode.SERVER_ASSIGNMENT, "user1", avp(AvpCode.SERVER_ASSIGNMENT_TYPE, 5))
    assert _experimental(_ask(hss, CommandCode.LOCATION_INFO)) == ResultCode.IDENTITY_NOT_REGISTERED


def test_an_unknown_user_is_an_error() -> None:
    assert _experimental(_ask(_hss(), CommandCode.MULTIMEDIA_AUTH, "unknown")) == ResultCode.USER_UNKNOWN


def test_the_vector_holds_h_a1() -> None:
    item = _ask(_hss(), CommandCode.MULTIMEDIA_AUTH).first(AvpCode.SIP_AUTH_DATA_ITEM)
    assert item is not None
    digest = next(member for member in item.group if member.code == AvpCode.SIP_DIGEST_AUTHENTICATE)
    hashed = next(member for member in digest.group if member.code == AvpCode.DIGEST_HA1).text
    assert hashed == hashlib.md5(f"user1@ims.test:ims.test:{password('user1')}".encode()).hexdigest()
    assert hashed == ha1("user1", "ims.test")


def test_only_served_users_get_filter_criteria() -> None:
    for served in (True, False):
        answer = _ask(_hss(served), CommandCode.SERVER_ASSIGNMENT, "user1", avp(AvpCode.SERVER_ASSIGNMENT_TYPE, 1))
        profile = ElementTree.fromstring(answer.text(AvpCode.USER_DATA))
        assert (profile.find(".//ApplicationServer") is not None) == served
        assert profile.findtext(".//Identity") == "sip:user1@ims.test"


def test_another_command_is_unsupported() -> None:
    assert _ask(_hss(), CommandCode.RE_AUTH).number(AvpCode.RESULT_CODE) == ResultCode.COMMAND_UNSUPPORTED
