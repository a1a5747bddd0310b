"""The home subscriber server: answers Cx requests (TS 29.228, TS 29.229). It has state, but no input or output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from faultprint.probe.messages.dictionary import VENDOR_3GPP, AvpCode, CommandCode, ResultCode
from faultprint_lab.testbed.protocols.diameter import Avp, DiameterPdu, avp

_DEREGISTRATIONS: Final = frozenset({4, 5, 6, 7, 8, 9})
"""Server-Assignment-Types that end a registration (TS 29.229, 6.3.15)."""


def password(user: str) -> str:
    """The password of a subscriber, derived from the name, so that every process of a bed knows it."""
    return hashlib.sha256(user.encode()).hexdigest()[:16]


def ha1(user: str, realm: str) -> str:
    """H(A1) of RFC 2617 for the private identity `user@realm`."""
    return hashlib.md5(f"{user}@{realm}:{realm}:{password(user)}".encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Hss:
    """The subscribers of one realm.

    known        whether a user exists
    served       whether the user's sessions pass the application server
    registered   users with a registration
    """

    realm: str
    scscf: str
    application_server: str
    known: Callable[[str], bool]
    served: Callable[[str], bool]
    registered: set[str] = field(default_factory=set)

    def answer(self, request: DiameterPdu) -> tuple[Avp, ...]:
        """The AVPs of the answer to a Cx request: the result, without session and origin."""
        handler = _HANDLERS.get(request.command)
        if handler is None:
            return (avp(AvpCode.RESULT_CODE, ResultCode.COMMAND_UNSUPPORTED),)
        identity = request.text(AvpCode.PUBLIC_IDENTITY)
        user = identity.removeprefix("sip:").partition("@")[0]
        if not self.known(user):
            return (_experimental(ResultCode.USER_UNKNOWN),)
        return handler(self, request, user)

    def user_authorization(self, request: DiameterPdu, user: str) -> tuple[Avp, ...]:
        """UAA: the S-CSCF, and whether the user is already registered there."""
        registration = ResultCode.SUBSEQUENT_REGISTRATION if user in self.registered else ResultCode.FIRST_REGISTRATION
        return (_experimental(registration), avp(AvpCode.SERVER_NAME, self.scscf))

    def multimedia_auth(self, request: DiameterPdu, user: str) -> tuple[Avp, ...]:
        """MAA: H(A1) for SIP Digest (TS 29.229, 6.3.37)."""
        digest = (
            avp(AvpCode.DIGEST_REALM, self.realm),
            avp(AvpCode.DIGEST_ALGORITHM, "MD5"),
            avp(AvpCode.DIGEST_QOP, "auth"),
            avp(AvpCode.DIGEST_HA1, ha1(user, self.realm)),
        )
        item = (
            avp(AvpCode.SIP_ITEM_NUMBER, 1),
            avp(AvpCode.SIP_AUTHENTICATION_SCHEME, "SIP Digest"),
            avp(AvpCode.SIP_DIGEST_AUTHENTICATE, digest),
        )
        return (
            avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS),
            avp(AvpCode.USER_NAME, f"{user}@{self.realm}"),
            avp(AvpCode.PUBLIC_IDENTITY, f"sip:{user}@{self.realm}"),
            avp(AvpCode.SIP_NUMBER_AUTH_ITEMS, 1),
            avp(AvpCode.SIP_AUTH_DATA_ITEM, item),
        )

    def server_assignment(self, request: DiameterPdu, user: str) -> tuple[Avp, ...]:
        """SAA: the user profile, with initial filter criteria if the application server serves the user."""
        if request.number(AvpCode.SERVER_ASSIGNMENT_TYPE) in _DEREGISTRATIONS:
            self.registered.discard(user)
        else:
            self.registered.add(user)
        return (
            avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS),
            avp(AvpCode.USER_NAME, f"{user}@{self.realm}"),
            avp(AvpCode.USER_DATA, self.profile(user)),
        )

    def location_info(self, request: DiameterPdu, user: str) -> tuple[Avp, ...]:
        """LIA: the S-CSCF if the user is registered, else an error."""
        if user not in self.registered:
            return (_experimental(ResultCode.IDENTITY_NOT_REGISTERED),)
        return (avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS), avp(AvpCode.SERVER_NAME, self.scscf))

    def profile(self, user: str) -> str:
        """The user profile as XML (TS 29.228, Annexes D and E)."""
        criteria = _CRITERIA.format(server=escape(self.application_server))
        return _PROFILE.format(
            private=escape(f"{user}@{self.realm}"),
            public=escape(f"sip:{user}@{self.realm}"),
            criteria=criteria if self.served(user) else "",
        )


_HANDLERS: Final[dict[int, Callable[[Hss, DiameterPdu, str], tuple[Avp, ...]]]] = {
    CommandCode.USER_AUTHORIZATION: Hss.user_authorization,
    CommandCode.MULTIMEDIA_AUTH: Hss.multimedia_auth,
    CommandCode.SERVER_ASSIGNMENT: Hss.server_assignment,
    CommandCode.LOCATION_INFO: Hss.location_info,
}

_PROFILE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><IMSSubscription><PrivateID>{private}</PrivateID><ServiceProfile>'
    "<PublicIdentity><Identity>{public}</Identity><Extension><IdentityType>0</IdentityType></Extension></PublicIdentity>"
    "{criteria}</ServiceProfile></IMSSubscription>"
)
_CRITERIA: Final = (
    "<InitialFilterCriteria><Priority>0</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>"
    "<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>INVITE</Method></SPT>"
    "<SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><SessionCase>0</SessionCase></SPT></TriggerPoint>"
    "<ApplicationServer><ServerName>{server}</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>"
    "</InitialFilterCriteria>"
)


def _experimental(code: int) -> Avp:
    return avp(
        AvpCode.EXPERIMENTAL_RESULT, (avp(AvpCode.VENDOR_ID, VENDOR_3GPP), avp(AvpCode.EXPERIMENTAL_RESULT_CODE, code))
    )
