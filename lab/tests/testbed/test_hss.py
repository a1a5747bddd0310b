"""The HSS answers Cx requests as TS 29.228 has it."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

from faultprint_lab.testbed.protocols.diameter import ApplicationId, Code, Command, DiameterMessageCodec, Result, avp
from faultprint_lab.testbed.servers.hss import Hss, ha1, password


def _hss(served: bool = False) -> Hss:
    return Hss("ims.test", "sip:scscf.ims.test:5060", "sip:as:5060", lambda user: user != "nobody", lambda _: served)


def _ask(hss: Hss, command: Command, user: str = "user1", *extra: object) -> DiameterMessageCodec:
    avps = (avp(Code.PUBLIC_IDENTITY, f"sip:{user}@ims.test"), *extra)
    request = DiameterMessageCodec(command, ApplicationId.CX, True, 1, 1, avps)  # type: ignore[arg-type]
    return request.answer(*hss.answer(request))


def _experimental(answer: DiameterMessageCodec) -> int:
    group = answer.first(Code.EXPERIMENTAL_RESULT)
    assert group is not None
    return group.group[1].number


def test_registration_is_remembered_until_it_is_ended() -> None:
    hss = _hss()
    assert _experimental(_ask(hss, Command.USER_AUTHORIZATION)) == Result.FIRST_REGISTRATION
    assert _experimental(_ask(hss, Command.LOCATION_INFO)) == Result.IDENTITY_NOT_REGISTERED
    _ask(hss, Command.SERVER_ASSIGNMENT, "user1", avp(Code.SERVER_ASSIGNMENT_TYPE, 1))
    assert _experimental(_ask(hss, Command.USER_AUTHORIZATION)) == Result.SUBSEQUENT_REGISTRATION
    assert _ask(hss, Command.LOCATION_INFO).text(Code.SERVER_NAME) == "sip:scscf.ims.test:5060"
    _ask(hss, Command.SERVER_ASSIGNMENT, "user1", avp(Code.SERVER_ASSIGNMENT_TYPE, 5))
    assert _experimental(_ask(hss, Command.LOCATION_INFO)) == Result.IDENTITY_NOT_REGISTERED


def test_an_unknown_user_is_unknown() -> None:
    assert _experimental(_ask(_hss(), Command.MULTIMEDIA_AUTH, "nobody")) == Result.USER_UNKNOWN


def test_the_vector_holds_h_a1() -> None:
    item = _ask(_hss(), Command.MULTIMEDIA_AUTH).first(Code.SIP_AUTH_DATA_ITEM)
    assert item is not None
    digest = next(one for one in item.group if one.code == Code.SIP_DIGEST_AUTHENTICATE)
    found = next(one for one in digest.group if one.code == Code.DIGEST_HA1).text
    assert found == hashlib.md5(f"user1@ims.test:ims.test:{password('user1')}".encode()).hexdigest()
    assert found == ha1("user1", "ims.test")


def test_only_the_served_get_filter_criteria() -> None:
    for served in (True, False):
        answer = _ask(_hss(served), Command.SERVER_ASSIGNMENT, "user1", avp(Code.SERVER_ASSIGNMENT_TYPE, 1))
        profile = ElementTree.fromstring(answer.text(Code.USER_DATA))
        assert (profile.find(".//ApplicationServer") is not None) == served
        assert profile.findtext(".//Identity") == "sip:user1@ims.test"


def test_another_command_is_unsupported() -> None:
    assert _ask(_hss(), Command.RE_AUTH).number(Code.RESULT_CODE) == Result.COMMAND_UNSUPPORTED
