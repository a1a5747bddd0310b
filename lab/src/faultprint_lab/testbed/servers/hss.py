"""The home subscriber server: answers Cx requests (TS 29.228, 29.229). Holds its state; does no input or output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from faultprint_lab.testbed.protocols.diameter import (
    VENDOR_3GPP,
    Avp,
    Code,
    Command,
    DiameterMessageCodec,
    Result,
    avp,
)

DEREGISTERING: Final = frozenset({4, 5, 6, 7, 8, 9})
"""Server-Assignment-Types that end a registration (TS 29.229, 6.3.15)."""


def password(user: str) -> str:
    """A subscriber's password: every part of a bed derives it from the name alone."""
    return hashlib.sha256(user.encode()).hexdigest()[:16]


def ha1(user: str, realm: str) -> str:
    """H(A1) of RFC 2617 for a subscriber's private identity `user@realm`."""
    return hashlib.md5(f"{user}@{realm}:{realm}:{password(user)}".encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Hss:
    """Subscribers of one realm. `served` says whose sessions pass the application server."""

    realm: str
    scscf: str
    application_server: str
    known: Callable[[str], bool]
    served: Callable[[str], bool]
    registered: set[str] = field(default_factory=set)

    def answer(self, request: DiameterMessageCodec) -> tuple[Avp, ...]:
        """The AVPs that answer a Cx request, result included, session and origin not."""
        handler = _HANDLERS.get(request.command)
        if handler is None:
            return (avp(Code.RESULT_CODE, Result.COMMAND_UNSUPPORTED),)
        identity = request.text(Code.PUBLIC_IDENTITY)
        user = identity.removeprefix("sip:").partition("@")[0]
        if not self.known(user):
            return (_experimental(Result.USER_UNKNOWN),)
        return handler(self, request, user)

    def user_authorization(self, request: DiameterMessageCodec, user: str) -> tuple[Avp, ...]:
        """UAA: the S-CSCF, and whether the user already has a registration there."""
        known = Result.SUBSEQUENT_REGISTRATION if user in self.registered else Result.FIRST_REGISTRATION
        return (_experimental(known), avp(Code.SERVER_NAME, self.scscf))

    def multimedia_auth(self, request: DiameterMessageCodec, user: str) -> tuple[Avp, ...]:
        """MAA: H(A1) for SIP Digest (TS 29.229, 6.3.37)."""
        digest = (
            avp(Code.DIGEST_REALM, self.realm),
            avp(Code.DIGEST_ALGORITHM, "MD5"),
            avp(Code.DIGEST_QOP, "auth"),
            avp(Code.DIGEST_HA1, ha1(user, self.realm)),
        )
        item = (
            avp(Code.SIP_ITEM_NUMBER, 1),
            avp(Code.SIP_AUTHENTICATION_SCHEME, "SIP Digest"),
            avp(Code.SIP_DIGEST_AUTHENTICATE, digest),
        )
        return (
            avp(Code.RESULT_CODE, Result.SUCCESS),
            avp(Code.USER_NAME, f"{user}@{self.realm}"),
            avp(Code.PUBLIC_IDENTITY, f"sip:{user}@{self.realm}"),
            avp(Code.SIP_NUMBER_AUTH_ITEMS, 1),
            avp(Code.SIP_AUTH_DATA_ITEM, item),
        )

    def server_assignment(self, request: DiameterMessageCodec, user: str) -> tuple[Avp, ...]:
        """SAA: the profile, with initial filter criteria for those whom the application server serves."""
        if request.number(Code.SERVER_ASSIGNMENT_TYPE) in DEREGISTERING:
            self.registered.discard(user)
        else:
            self.registered.add(user)
        return (
            avp(Code.RESULT_CODE, Result.SUCCESS),
            avp(Code.USER_NAME, f"{user}@{self.realm}"),
            avp(Code.USER_DATA, self.profile(user)),
        )

    def location_info(self, request: DiameterMessageCodec, user: str) -> tuple[Avp, ...]:
        """LIA: the S-CSCF, where the user is registered."""
        if user not in self.registered:
            return (_experimental(Result.IDENTITY_NOT_REGISTERED),)
        return (avp(Code.RESULT_CODE, Result.SUCCESS), avp(Code.SERVER_NAME, self.scscf))

    def profile(self, user: str) -> str:
        """The user profile as XML (TS 29.228, Annex D and E)."""
        criteria = _CRITERIA.format(server=escape(self.application_server))
        return _PROFILE.format(
            private=escape(f"{user}@{self.realm}"),
            public=escape(f"sip:{user}@{self.realm}"),
            criteria=criteria if self.served(user) else "",
        )


_HANDLERS: Final[dict[int, Callable[[Hss, DiameterMessageCodec, str], tuple[Avp, ...]]]] = {
    Command.USER_AUTHORIZATION: Hss.user_authorization,
    Command.MULTIMEDIA_AUTH: Hss.multimedia_auth,
    Command.SERVER_ASSIGNMENT: Hss.server_assignment,
    Command.LOCATION_INFO: Hss.location_info,
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
    return avp(Code.EXPERIMENTAL_RESULT, (avp(Code.VENDOR_ID, VENDOR_3GPP), avp(Code.EXPERIMENTAL_RESULT_CODE, code)))
